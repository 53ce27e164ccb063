package function

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"filippo.io/age"
)

func TestTheSizeIsKnownBeforehand(t *testing.T) {
	for recipients := 1; recipients <= 3; recipients++ {
		var names []string
		var identity *age.X25519Identity
		for range recipients {
			made, err := age.GenerateX25519Identity()
			if err != nil {
				t.Fatal(err)
			}
			identity = made
			names = append(names, made.Recipient().String())
		}
		parsed, err := parse(names)
		if err != nil {
			t.Fatal(err)
		}
		before, err := overhead(parsed)
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range []int64{0, 1, chunk - 1, chunk, chunk + 1, 3*chunk + 17} {
			plain := bytes.Repeat([]byte{7}, int(size))
			var encrypted bytes.Buffer
			writer, err := age.Encrypt(&encrypted, parsed...)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := writer.Write(plain); err != nil {
				t.Fatal(err)
			}
			if err := writer.Close(); err != nil {
				t.Fatal(err)
			}
			if want := encryptedSize(size, before); int64(encrypted.Len()) != want {
				t.Errorf("%d bytes for %d: %d instead of %d", size, recipients, encrypted.Len(), want)
			}
			reader, err := age.Decrypt(&encrypted, identity)
			if err != nil {
				t.Fatal(err)
			}
			if back, err := io.ReadAll(reader); err != nil || !bytes.Equal(back, plain) {
				t.Errorf("%d bytes do not come back: %v", size, err)
			}
		}
	}
}

func TestWhoIsNoRecipientIsNamed(t *testing.T) {
	for text, words := range map[string]string{"": "names nobody", "age1nobody": "age1nobody", "ssh-ed25519 AAAA": "public key"} {
		var texts []string
		if text != "" {
			texts = []string{text}
		}
		if _, err := parse(texts); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
