// Package function is the Function: it sends every artifact to the target. The bytes stay on the
// host's side.
package function

import "example.com/{{name}}/sealift"

// Run is called once.
func Run() error {
	var parameters struct {
		Folder string `json:"folder"`
	}
	if err := sealift.Parameters(&parameters); err != nil {
		return err
	}
	for artifact, err := range sealift.Artifacts() {
		if err != nil {
			return err
		}
		path := pathOf(parameters.Folder, artifact.Name)
		answer, err := sealift.Request("PUT", "target", path, nil, artifact.Body)
		if err != nil {
			return err
		}
		if answer.Status < 200 || answer.Status > 299 {
			return answer.Refused("PUT " + path)
		}
		if err := answer.Body.Discard(); err != nil {
			return err
		}
	}
	return nil
}
