package function

import "testing"

func TestAnArtifactHasTheNameOfWhatWasAskedFor(t *testing.T) {
	for path, name := range map[string]string{
		"/v1/export.json?pretty": "export.json", "/a/b/": "b", "/": "export",
	} {
		if got := artifactName(path); got != name {
			t.Errorf("%q becomes %q instead of %q", path, got, name)
		}
	}
}
