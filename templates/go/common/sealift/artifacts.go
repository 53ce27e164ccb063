package sealift

import (
	"io"
	"iter"

	artifacts "example.com/{{name}}/bindings/sealift_function_artifacts"
	downstream "example.com/{{name}}/bindings/sealift_function_downstream"
	upstream "example.com/{{name}}/bindings/sealift_function_upstream"
	witTypes "go.bytecodealliance.org/pkg/wit/types"
)

// UnknownSize is the size of an artifact that nobody knows before its end.
const UnknownSize = -1

// chunk is how many bytes are asked for at once: enough that a call costs nothing beside them.
const chunk = 256 << 10

// Header is what is known of an artifact when it begins.
type Header struct {
	// Name is 1 to 4096 bytes; a sink may use it as a relative path.
	Name string
	// Size is exact, or UnknownSize. One byte more or less fails the chain.
	Size int64
	// Attributes are facts for the next stages.
	Attributes [][2]string
}

// Artifact is one that arrives.
type Artifact struct {
	Header
	Body *Body
}

// Body is a run of bytes on the host's side. It must be read to its end, forwarded or discarded.
type Body struct {
	raw  *artifacts.Body
	rest []byte
	end  bool
}

// Artifacts are those of the stage before; the loop ends when it has succeeded. For transforms and
// sinks.
func Artifacts() iter.Seq2[*Artifact, error] {
	return func(yield func(*Artifact, error) bool) {
		for {
			next, err := took(upstream.Receive())
			if err != nil {
				yield(nil, err)
				return
			}
			if next.IsNone() {
				return
			}
			artifact := next.Some()
			header := Header{Name: artifact.Header.Name, Size: size(artifact.Header.Size)}
			for _, pair := range artifact.Header.Attributes {
				header.Attributes = append(header.Attributes, [2]string{pair.F0, pair.F1})
			}
			if !yield(&Artifact{header, &Body{raw: artifact.Body}}, nil) {
				return
			}
		}
	}
}

// Size is the exact size, or UnknownSize.
func (b *Body) Size() int64 {
	return size(b.raw.Size())
}

// Read reads the next bytes. io.EOF means that everything came; a body that broke off is another
// error.
func (b *Body) Read(into []byte) (int, error) {
	if len(into) == 0 {
		return 0, nil
	}
	if len(b.rest) == 0 {
		if b.end {
			return 0, io.EOF
		}
		next, err := took(b.raw.Read(chunk))
		if err != nil {
			return 0, err
		}
		if next.IsNone() {
			b.end = true
			return 0, io.EOF
		}
		b.rest = next.Some()
	}
	count := copy(into, b.rest)
	b.rest = b.rest[count:]
	return count, nil
}

// Discard reads to the end without looking.
func (b *Body) Discard() error {
	_, err := took(b.raw.Discard())
	return err
}

// Outgoing is an artifact that is being sent. It counts only when Finish has returned nil.
type Outgoing struct {
	raw *downstream.Outgoing
}

// Send begins an artifact; the one before must be finished. For sources and transforms.
func Send(header Header) (*Outgoing, error) {
	raw := artifacts.Header{Name: header.Name, Size: witTypes.None[uint64]()}
	if header.Size >= 0 {
		raw.Size = witTypes.Some(uint64(header.Size))
	}
	for _, pair := range header.Attributes {
		raw.Attributes = append(raw.Attributes, witTypes.Tuple2[string, string]{F0: pair[0], F1: pair[1]})
	}
	outgoing, err := took(downstream.Send(raw))
	if err != nil {
		return nil, err
	}
	return &Outgoing{outgoing}, nil
}

// Write hands bytes to the next stage, and waits while that is slower.
func (o *Outgoing) Write(bytes []byte) (int, error) {
	written := 0
	for written < len(bytes) {
		part := bytes[written:min(len(bytes), written+1<<20)]
		if _, err := took(o.raw.Write(part)); err != nil {
			return written, err
		}
		written += len(part)
	}
	return written, nil
}

// Forward has the host move a whole body, and returns its bytes.
func (o *Outgoing) Forward(body *Body) (int64, error) {
	count, err := took(o.raw.Forward(body.raw))
	return int64(count), err
}

// Finish ends the artifact.
func (o *Outgoing) Finish() error {
	_, err := took(o.raw.Finish())
	return err
}

func size(raw witTypes.Option[uint64]) int64 {
	if raw.IsNone() {
		return UnknownSize
	}
	return int64(raw.Some())
}
