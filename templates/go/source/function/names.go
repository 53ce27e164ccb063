package function

import "strings"

// artifactName is the last part of a path, as the name of an artifact.
func artifactName(path string) string {
	path, _, _ = strings.Cut(path, "?")
	name := "export"
	for _, part := range strings.Split(path, "/") {
		if part != "" {
			name = part
		}
	}
	return name
}
