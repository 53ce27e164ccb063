package function

import (
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
)

const (
	// chunk is how many bytes age encrypts at once, and tag what it adds to each.
	chunk = 64 << 10
	tag   = 16
)

// parse reads public keys. Only native ones: the size of what they add is known beforehand.
func parse(texts []string) ([]age.Recipient, error) {
	if len(texts) == 0 {
		return nil, errors.New("names nobody; give the public key (age1…) of who is to read the artifacts")
	}
	var recipients []age.Recipient
	for _, text := range texts {
		recipient, err := age.ParseX25519Recipient(text)
		if err != nil {
			return nil, fmt.Errorf("%q is no public key of age (age1…): %w", text, err)
		}
		recipients = append(recipients, recipient)
	}
	return recipients, nil
}

// overhead is how many bytes age puts before the first chunk: they depend on the recipients only.
func overhead(recipients []age.Recipient) (int64, error) {
	var count counter
	encrypted, err := age.Encrypt(&count, recipients...)
	if err != nil {
		return 0, err
	}
	if err := encrypted.Close(); err != nil {
		return 0, err
	}
	return int64(count) - tag, nil
}

// encryptedSize is the exact size of an artifact once it is encrypted. The last chunk is there even
// if it is empty, but only where nothing comes before it.
func encryptedSize(plain, overhead int64) int64 {
	chunks := max(1, (plain+chunk-1)/chunk)
	return overhead + plain + chunks*tag
}

type counter int64

func (c *counter) Write(bytes []byte) (int, error) {
	*c += counter(len(bytes))
	return len(bytes), nil
}

var _ io.Writer = (*counter)(nil)
