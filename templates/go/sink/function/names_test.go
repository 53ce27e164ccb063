package function

import "testing"

func TestANameBecomesAPathBelowTheFolder(t *testing.T) {
	for _, row := range [][3]string{{"/", "a/b.json", "/a/b.json"}, {"/x/", "a b?", "/x/a%20b%3F"}} {
		if got := pathOf(row[0], row[1]); got != row[2] {
			t.Errorf("%q below %q becomes %q instead of %q", row[1], row[0], got, row[2])
		}
	}
}
