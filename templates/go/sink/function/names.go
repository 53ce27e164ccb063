package function

import (
	"net/url"
	"strings"
)

// pathOf is the path an artifact goes to.
func pathOf(folder, name string) string {
	var path strings.Builder
	for _, part := range append(strings.Split(folder, "/"), strings.Split(name, "/")...) {
		if part != "" {
			path.WriteString("/" + url.PathEscape(part))
		}
	}
	return path.String()
}
