package function

import "testing"

func TestAFolderComesBeforeTheNameOnce(t *testing.T) {
	for _, row := range [][3]string{{"", "a/b", "a/b"}, {"2026/", "a", "2026/a"}, {"/x//y", "a", "x/y/a"}} {
		if got := placed(row[0], row[1]); got != row[2] {
			t.Errorf("%q in %q becomes %q instead of %q", row[1], row[0], got, row[2])
		}
	}
}
