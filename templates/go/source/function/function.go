// Package function is the Function: it asks the target for one path and stores the answer. The
// bytes stay on the host's side.
package function

import "example.com/{{name}}/sealift"

// Run is called once.
func Run() error {
	var parameters struct {
		Path string `json:"path"`
	}
	if err := sealift.Parameters(&parameters); err != nil {
		return err
	}
	answer, err := sealift.Request("GET", "target", parameters.Path, nil, nil)
	if err != nil {
		return err
	}
	if answer.Status != 200 {
		return answer.Refused("GET " + parameters.Path)
	}
	// Without a length, more than 1 MiB needs an interim volume.
	header := sealift.Header{Name: artifactName(parameters.Path), Size: answer.Body.Size()}
	outgoing, err := sealift.Send(header)
	if err != nil {
		return err
	}
	if _, err := outgoing.Forward(answer.Body); err != nil {
		return err
	}
	return outgoing.Finish()
}
