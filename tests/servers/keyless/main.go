// Command keyless signs a digest as Sigstore's services would, with an authority and a log that it
// makes for this one run, and prints the signature and the trusted root to verify it with.
//
// The certificate has no proof of a certificate log: the authority that is made here has none.
package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"time"

	bundlepb "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	dssepb "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"google.golang.org/protobuf/encoding/protojson"
)

const payloadType = "application/vnd.in-toto+json"

func main() {
	identity := flag.String("identity", "", "e-mail address of who signs")
	issuer := flag.String("issuer", "", "who vouches for it")
	digest := flag.String("digest", "", "SHA-256 of what is signed, in hexadecimal")
	flag.Parse()
	if err := sign(*identity, *issuer, *digest); err != nil {
		log.Fatalln(err)
	}
}

func sign(identity, issuer, digest string) error {
	authority, err := ca.NewVirtualSigstore()
	if err != nil {
		return err
	}
	statement := fmt.Sprintf(
		`{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":%q}}],`+
			`"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{}}`, digest)
	entity, err := authority.AttestAtTime(identity, issuer, []byte(statement), time.Now(), true)
	if err != nil {
		return err
	}
	bundle, err := pack(authority, entity)
	if err != nil {
		return err
	}
	logs := authority.RekorLogs()
	for _, one := range logs {
		// The library keeps the hexadecimal digits here, where trusted roots have the bytes.
		if one.ID, err = hex.DecodeString(string(one.ID)); err != nil {
			return err
		}
	}
	trusted, err := root.NewTrustedRoot(
		root.TrustedRootMediaType01, authority.FulcioCertificateAuthorities(), nil, nil, logs)
	if err != nil {
		return err
	}
	rootJSON, err := trusted.MarshalJSON()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]json.RawMessage{
		"bundle":      bundle,
		"trustedRoot": rootJSON,
	})
}

func pack(authority *ca.VirtualSigstore, entity *ca.TestEntity) ([]byte, error) {
	content, err := entity.VerificationContent()
	if err != nil {
		return nil, err
	}
	signature, err := entity.SignatureContent()
	if err != nil {
		return nil, err
	}
	envelope := signature.EnvelopeContent().RawEnvelope()
	payload, err := base64.StdEncoding.DecodeString(envelope.Payload)
	if err != nil {
		return nil, err
	}
	sig, err := base64.StdEncoding.DecodeString(envelope.Signatures[0].Sig)
	if err != nil {
		return nil, err
	}
	entry, err := logged(authority, entity)
	if err != nil {
		return nil, err
	}
	return protojson.Marshal(&bundlepb.Bundle{
		MediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
		VerificationMaterial: &bundlepb.VerificationMaterial{
			Content: &bundlepb.VerificationMaterial_Certificate{
				Certificate: &commonpb.X509Certificate{RawBytes: content.Certificate().Raw},
			},
			TlogEntries: []*rekorpb.TransparencyLogEntry{entry},
		},
		Content: &bundlepb.Bundle_DsseEnvelope{
			DsseEnvelope: &dssepb.Envelope{
				Payload:     payload,
				PayloadType: payloadType,
				Signatures:  []*dssepb.Signature{{Sig: sig}},
			},
		},
	})
}

// logged is the entry of the log, with the promise that the library keeps to itself.
func logged(authority *ca.VirtualSigstore, entity *ca.TestEntity) (*rekorpb.TransparencyLogEntry, error) {
	entries, err := entity.TlogEntries()
	if err != nil {
		return nil, err
	}
	entry := entries[0].TransparencyLogEntry()
	logID, err := authority.RekorLogID()
	if err != nil {
		return nil, err
	}
	promise, err := authority.RekorSignPayload(tlog.RekorPayload{
		Body:           base64.StdEncoding.EncodeToString(entry.CanonicalizedBody),
		IntegratedTime: entry.IntegratedTime,
		LogIndex:       entry.LogIndex,
		LogID:          logID,
	})
	if err != nil {
		return nil, err
	}
	entry.KindVersion = &rekorpb.KindVersion{Kind: "dsse", Version: "0.0.1"}
	entry.InclusionPromise = &rekorpb.InclusionPromise{SignedEntryTimestamp: promise}
	return entry, nil
}
