package function

import "strings"

// placed is the name of an artifact in a folder.
func placed(folder, name string) string {
	var parts []string
	for _, part := range strings.Split(folder, "/") {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(append(parts, name), "/")
}
