// Package function is the Function: it says how the session ended. An error of an observer is
// reported and changes nothing.
package function

import "example.com/{{name}}/sealift"

// Run is called once.
func Run() error {
	status, cause := sealift.Ended()
	name, _ := sealift.Fact("session.name")
	if cause == nil {
		sealift.Info("%s", sentence(name, status, ""))
	} else {
		sealift.Warn("%s", sentence(name, status, cause.Error()))
	}
	return nil
}
