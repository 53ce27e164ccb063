package sealift

import (
	"encoding/json"
	"fmt"

	outcomes "example.com/{{name}}/bindings/sealift_function_outcomes"
	parameters "example.com/{{name}}/bindings/sealift_function_parameters"
	progress "example.com/{{name}}/bindings/sealift_function_progress"
	session "example.com/{{name}}/bindings/sealift_function_session"
)

// Parameters fills a struct from the parameters of this run; its fields carry `json` tags.
func Parameters(into any) error {
	return json.Unmarshal([]byte(parameters.Json()), into)
}

// Fact is what is known of the session under this name, and whether it is known.
func Fact(name string) (string, bool) {
	fact := session.Fact(name)
	return fact.SomeOr(""), fact.IsSome()
}

// Info writes a line for operators.
func Info(format string, arguments ...any) {
	progress.Log(progress.LevelInfo, fmt.Sprintf(format, arguments...))
}

// Warn writes a line for operators: something is not as it should be.
func Warn(format string, arguments ...any) {
	progress.Log(progress.LevelWarn, fmt.Sprintf(format, arguments...))
}

// Ended is how the session ended, and why it did not succeed. For observers.
func Ended() (status string, cause error) {
	names := map[outcomes.Status]string{
		outcomes.StatusSucceeded: "succeeded",
		outcomes.StatusFailed:    "failed",
		outcomes.StatusCancelled: "cancelled",
		outcomes.StatusSkipped:   "skipped",
	}
	if raw := outcomes.Cause(); raw.IsSome() {
		cause = &Error{raw.Some()}
	}
	return names[outcomes.Overall()], cause
}
