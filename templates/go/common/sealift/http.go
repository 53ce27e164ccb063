package sealift

import (
	"strconv"
	"strings"

	streams "example.com/{{name}}/bindings/sealift_function_wasi_streams"
	outgoing "example.com/{{name}}/bindings/wasi_http_outgoing_handler"
	http "example.com/{{name}}/bindings/wasi_http_types"
	witTypes "go.bytecodealliance.org/pkg/wit/types"
)

// Answer is what the other side answered. Its body can be read, or forwarded.
type Answer struct {
	Status  int
	Headers map[string]string
	Body    *Body
}

// Request sends a request to a name that the plan binds, such as `target`, and returns the answer,
// whatever its status. The host connects, does TLS and adds the credential. body may be nil.
//
// net/http does not work here: there are no sockets.
func Request(method, name, path string, headers map[string]string, body *Body) (*Answer, error) {
	what := method + " " + path
	fields := []witTypes.Tuple2[string, []uint8]{}
	for key, value := range headers {
		fields = append(fields, witTypes.Tuple2[string, []uint8]{F0: key, F1: []uint8(value)})
	}
	if body != nil && body.Size() >= 0 {
		length := []uint8(strconv.FormatInt(body.Size(), 10))
		fields = append(fields, witTypes.Tuple2[string, []uint8]{F0: "content-length", F1: length})
	}
	list := http.FieldsFromList(fields)
	if list.IsErr() {
		return nil, Failed("%s: a header is not allowed", what)
	}
	request := http.MakeOutgoingRequest(list.Ok())
	request.SetMethod(methodOf(method))
	request.SetScheme(witTypes.Some(http.MakeSchemeHttp()))
	request.SetAuthority(witTypes.Some(name))
	request.SetPathWithQuery(witTypes.Some(path))
	var sent *http.OutgoingBody
	if body != nil {
		sent = request.Body().Ok()
	}
	handled := outgoing.Handle(request, witTypes.None[*http.RequestOptions]())
	if handled.IsErr() {
		return nil, failure(handled.Err(), what)
	}
	future := handled.Ok()
	defer future.Drop()
	if sent != nil {
		if broken := upload(body, sent); broken != nil {
			// Without its body the request ends. Whoever refuses without reading answers anyway.
			if answer := wait(future); answer.IsOk() {
				return answerOf(answer.Ok())
			}
			return nil, broken
		}
	}
	answer := wait(future)
	if answer.IsErr() {
		return nil, failure(answer.Err(), what)
	}
	return answerOf(answer.Ok())
}

// Refused is what an answer of the wrong status means for the session. It uses the body up.
func (a *Answer) Refused(what string) error {
	said := make([]byte, 500)
	count, _ := a.Body.Read(said)
	a.Body.raw.Drop()
	text := strings.TrimSpace(string(said[:count]))
	switch {
	case a.Status == 401 || a.Status == 403:
		return Denied("%s was answered with %d: %s", what, a.Status, text)
	case a.Status == 429 || a.Status >= 500:
		return Retryable("%s was answered with %d: %s", what, a.Status, text)
	default:
		return Failed("%s was answered with %d: %s", what, a.Status, text)
	}
}

func methodOf(method string) http.Method {
	switch method {
	case "GET":
		return http.MakeMethodGet()
	case "HEAD":
		return http.MakeMethodHead()
	case "POST":
		return http.MakeMethodPost()
	case "PUT":
		return http.MakeMethodPut()
	case "DELETE":
		return http.MakeMethodDelete()
	default:
		return http.MakeMethodOther(method)
	}
}

// upload sends a body to its end, or returns what broke it off.
func upload(body *Body, sent *http.OutgoingBody) error {
	stream := sent.Write().Ok()
	_, err := took(streams.Drain(body.raw, stream))
	stream.Drop()
	if err != nil {
		sent.Drop()
		return err
	}
	if finished := http.OutgoingBodyFinish(sent, witTypes.None[*http.Fields]()); finished.IsErr() {
		return failure(finished.Err(), "the end of the request")
	}
	return nil
}

func wait(future *http.FutureIncomingResponse) witTypes.Result[*http.IncomingResponse, http.ErrorCode] {
	pollable := future.Subscribe()
	pollable.Block()
	pollable.Drop()
	// The outer result is about this handle, the inner one about the connection.
	return future.Get().Some().Ok()
}

func answerOf(response *http.IncomingResponse) (*Answer, error) {
	headers := map[string]string{}
	fields := response.Headers()
	for _, pair := range fields.Entries() {
		headers[strings.ToLower(pair.F0)] = string(pair.F1)
	}
	fields.Drop()
	length := witTypes.None[uint64]()
	if text, told := headers["content-length"]; told {
		number, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return nil, Failed("the answer has a length of %q", text)
		}
		length = witTypes.Some(number)
	}
	incoming := response.Consume().Ok()
	body, err := took(streams.FromStream(incoming.Stream().Ok(), length))
	if err != nil {
		return nil, err
	}
	answer := &Answer{int(response.Status()), headers, &Body{raw: body}}
	incoming.Drop()
	response.Drop()
	return answer, nil
}

// failure is what a failed connection means for the session.
func failure(code http.ErrorCode, what string) error {
	switch code.Tag() {
	case http.ErrorCodeHttpRequestDenied, http.ErrorCodeDestinationIpProhibited,
		http.ErrorCodeHttpRequestUriInvalid, http.ErrorCodeHttpRequestMethodInvalid:
		return Denied("%s: the request is not granted", what)
	case http.ErrorCodeDnsTimeout, http.ErrorCodeDnsError, http.ErrorCodeDestinationNotFound,
		http.ErrorCodeDestinationUnavailable, http.ErrorCodeDestinationIpUnroutable:
		return Retryable("%s: the name cannot be reached", what)
	case http.ErrorCodeConnectionRefused:
		return Retryable("%s: connection refused", what)
	case http.ErrorCodeConnectionTerminated, http.ErrorCodeHttpResponseIncomplete:
		return Retryable("%s: the connection broke off", what)
	case http.ErrorCodeConnectionTimeout, http.ErrorCodeConnectionReadTimeout,
		http.ErrorCodeConnectionWriteTimeout, http.ErrorCodeHttpResponseTimeout:
		return Retryable("%s: no answer in time", what)
	case http.ErrorCodeConnectionLimitReached:
		return Retryable("%s: too many connections", what)
	default:
		return Failed("%s: error %d of wasi:http", what, code.Tag())
	}
}
