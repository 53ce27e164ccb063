package function

import "testing"

func TestACauseIsToldWhereThereIsOne(t *testing.T) {
	if got := sentence("nightly-1", "succeeded", ""); got != "nightly-1 has succeeded" {
		t.Error(got)
	}
	if got := sentence("", "failed", "disk full"); got != "the session has failed: disk full" {
		t.Error(got)
	}
}
