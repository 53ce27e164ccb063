module example.com/age-encrypt

go 1.25

require (
	filippo.io/age v1.3.2
	go.bytecodealliance.org/pkg v0.2.3
)
