// Package function is the Function: it encrypts every artifact to the recipients in its parameters
// and adds `.age` to its name. It knows public keys only: what was stored can be read by nobody but
// those who have an identity, and the `age` tool.
package function

import (
	"fmt"
	"io"

	"filippo.io/age"

	"example.com/age-encrypt/sealift"
)

// Run is called once.
func Run() error {
	var parameters struct {
		Recipients []string `json:"recipients"`
	}
	if err := sealift.Parameters(&parameters); err != nil {
		return err
	}
	recipients, err := parse(parameters.Recipients)
	if err != nil {
		return sealift.InvalidParameter("recipients", "%s", err)
	}
	overhead, err := overhead(recipients)
	if err != nil {
		return err
	}
	for artifact, err := range sealift.Artifacts() {
		if err != nil {
			return err
		}
		header := artifact.Header
		header.Name += ".age"
		if header.Size >= 0 {
			header.Size = encryptedSize(header.Size, overhead)
		}
		if err := encrypt(header, artifact.Body, recipients); err != nil {
			return fmt.Errorf("%s: %w", artifact.Name, err)
		}
	}
	return nil
}

func encrypt(header sealift.Header, body io.Reader, recipients []age.Recipient) error {
	outgoing, err := sealift.Send(header)
	if err != nil {
		return err
	}
	encrypted, err := age.Encrypt(outgoing, recipients...)
	if err != nil {
		return err
	}
	if _, err := io.Copy(encrypted, body); err != nil {
		return err
	}
	if err := encrypted.Close(); err != nil {
		return err
	}
	return outgoing.Finish()
}
