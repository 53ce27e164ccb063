// Package sealift is the contract of Functions in the types of Go: readers, writers and errors.
//
// It belongs to this project: change it as you like. It covers what most Functions need; the rest
// is in the packages of bindings/.
package sealift

import (
	goerrors "errors"
	"fmt"

	errors "example.com/{{name}}/bindings/sealift_function_errors"
	witTypes "go.bytecodealliance.org/pkg/wit/types"
)

// Error is an error of the contract. Its case decides what happens to the session.
type Error struct {
	raw errors.Error
}

// InvalidParameter says that the user wrote something wrong.
func InvalidParameter(name, format string, arguments ...any) error {
	return &Error{errors.MakeErrorInvalidParameter(
		errors.FieldError{Field: "/" + name, Message: fmt.Sprintf(format, arguments...)},
	)}
}

// Denied says that something may not be done.
func Denied(format string, arguments ...any) error {
	return &Error{errors.MakeErrorDenied(fmt.Sprintf(format, arguments...))}
}

// Retryable says that another attempt may not meet this.
func Retryable(format string, arguments ...any) error {
	return &Error{errors.MakeErrorRetryable(errors.RetryError{
		Message: fmt.Sprintf(format, arguments...), AfterSeconds: witTypes.None[uint32](),
	})}
}

// Failed says that something outside failed.
func Failed(format string, arguments ...any) error {
	return &Error{errors.MakeErrorExternalFailed(fmt.Sprintf(format, arguments...))}
}

// DataLossRisk says that going on could store or restore damaged data.
func DataLossRisk(format string, arguments ...any) error {
	return &Error{errors.MakeErrorDataLossRisk(fmt.Sprintf(format, arguments...))}
}

// Error is the text.
func (e *Error) Error() string {
	switch e.raw.Tag() {
	case errors.ErrorInvalidParameter:
		field := e.raw.InvalidParameter()
		return field.Field + ": " + field.Message
	case errors.ErrorDenied:
		return e.raw.Denied()
	case errors.ErrorRetryable:
		return e.raw.Retryable().Message
	case errors.ErrorExternalFailed:
		return e.raw.ExternalFailed()
	case errors.ErrorDataLossRisk:
		return e.raw.DataLossRisk()
	case errors.ErrorCancelled:
		return e.raw.Cancelled()
	case errors.ErrorInvalidState:
		return e.raw.InvalidState()
	default:
		return e.raw.Other().Message
	}
}

// with is the same case with another text.
func (e *Error) with(text string) errors.Error {
	switch e.raw.Tag() {
	case errors.ErrorInvalidParameter:
		field := e.raw.InvalidParameter().Field
		return errors.MakeErrorInvalidParameter(errors.FieldError{Field: field, Message: text})
	case errors.ErrorDenied:
		return errors.MakeErrorDenied(text)
	case errors.ErrorRetryable:
		after := e.raw.Retryable().AfterSeconds
		return errors.MakeErrorRetryable(errors.RetryError{Message: text, AfterSeconds: after})
	case errors.ErrorExternalFailed:
		return errors.MakeErrorExternalFailed(text)
	case errors.ErrorDataLossRisk:
		return errors.MakeErrorDataLossRisk(text)
	case errors.ErrorCancelled:
		return errors.MakeErrorCancelled(text)
	case errors.ErrorInvalidState:
		return errors.MakeErrorInvalidState(text)
	default:
		code := e.raw.Other().Code
		return errors.MakeErrorOther(errors.OtherError{Code: code, Message: text})
	}
}

// Outcome is what the host is told when a Function has returned. An error of the host that was
// wrapped on its way keeps its case; any other is one of something outside.
func Outcome(err error) witTypes.Result[witTypes.Unit, errors.Error] {
	if err == nil {
		return witTypes.Ok[witTypes.Unit, errors.Error](witTypes.Unit{})
	}
	var own *Error
	if goerrors.As(err, &own) {
		if error(own) == err {
			return witTypes.Err[witTypes.Unit](own.raw)
		}
		return witTypes.Err[witTypes.Unit](own.with(err.Error()))
	}
	return witTypes.Err[witTypes.Unit](errors.MakeErrorExternalFailed(err.Error()))
}

// took is the value of a call of the host, or its error as one of Go.
func took[T any](result witTypes.Result[T, errors.Error]) (T, error) {
	if result.IsErr() {
		var none T
		return none, &Error{result.Err()}
	}
	return result.Ok(), nil
}
