// The component. What the host calls is in bindings/wit_exports; it calls function.Run.
package main

import _ "example.com/age-encrypt/bindings/wit_exports"

// Never called: the host calls what is exported.
func main() {}
