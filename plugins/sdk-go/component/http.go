//go:build wasip1 && witgate_http

package component

import (
	bindings "witgate.dev/bindings/imports/witgate_attestor_http"
	"witgate.dev/sdk/http"
)

func init() { http.Provide(ofHTTP{}) }

type ofHTTP struct{}

func (ofHTTP) Send(endpoint string, request http.Request) (http.Response, error) {
	asked := bindings.Request{Method: request.Method, Path: request.Path, Body: request.Body}
	for _, header := range request.Headers {
		asked.Headers = append(asked.Headers, bindings.Header(header))
	}
	told := bindings.Send(endpoint, asked)
	if told.IsErr() {
		return http.Response{}, httpError(told.Err())
	}
	response := told.Ok()
	answer := http.Response{Status: response.Status, Body: response.Body}
	for _, header := range response.Headers {
		answer.Headers = append(answer.Headers, http.Header(header))
	}
	return answer, nil
}

func httpError(failed bindings.HttpError) error {
	switch failed.Tag() {
	case bindings.HttpError_Unreachable:
		return &http.UnreachableError{Reason: failed.Unreachable()}
	case bindings.HttpError_Timeout:
		return http.ErrTimeout
	case bindings.HttpError_TooLarge:
		return http.ErrTooLarge
	case bindings.HttpError_Refused:
		return &http.RefusedError{Reason: failed.Refused()}
	default:
		return &http.MalformedError{Reason: failed.Malformed()}
	}
}
