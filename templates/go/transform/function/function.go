// Package function is the Function: it puts every artifact into a folder. The bytes stay on the
// host's side; to look at them, read artifact.Body and write to outgoing.
package function

import (
	"fmt"

	"example.com/{{name}}/sealift"
)

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
		header := artifact.Header
		header.Name = placed(parameters.Folder, header.Name)
		if err := pass(header, artifact.Body); err != nil {
			return fmt.Errorf("%s: %w", header.Name, err)
		}
	}
	return nil
}

func pass(header sealift.Header, body *sealift.Body) error {
	outgoing, err := sealift.Send(header)
	if err != nil {
		return err
	}
	if _, err := outgoing.Forward(body); err != nil {
		return err
	}
	return outgoing.Finish()
}
