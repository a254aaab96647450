package witgatetest

import (
	"bytes"
	"encoding/json"
	"fmt"

	"witgate.dev/sdk/http"
)

// exchange is a request to an endpoint, and what came back.
type exchange struct {
	Endpoint string   `json:"endpoint"`
	Request  request  `json:"request"`
	Outcome  answered `json:"outcome"`
}

// request is an http.Request as it is written.
type request struct {
	Method  string      `json:"method"`
	Path    string      `json:"path"`
	Headers [][2]string `json:"headers"`
	Body    blob        `json:"body"`
}

// answered is a response or an error.
type answered struct {
	response http.Response
	err      error
}

// UnmarshalJSON reads {"ok": response} or {"err": why not}.
func (a *answered) UnmarshalJSON(text []byte) error {
	ok, failed, err := either(text)
	if err != nil {
		return err
	}
	if ok == nil {
		a.err, err = httpError(failed)
		return err
	}
	var response struct {
		Status  uint16      `json:"status"`
		Headers [][2]string `json:"headers"`
		Body    blob        `json:"body"`
	}
	if err := json.Unmarshal(ok, &response); err != nil {
		return err
	}
	a.response = http.Response{Status: response.Status, Body: response.Body}
	for _, header := range response.Headers {
		a.response.Headers = append(a.response.Headers, http.Header{Name: header[0], Value: header[1]})
	}
	return nil
}

func httpError(raw json.RawMessage) (answer, invalid error) {
	word, text, err := variant(raw)
	if err != nil {
		return nil, err
	}
	switch word {
	case "unreachable":
		return &http.UnreachableError{Reason: text}, nil
	case "timeout":
		return http.ErrTimeout, nil
	case "too-large":
		return http.ErrTooLarge, nil
	case "refused":
		return &http.RefusedError{Reason: text}, nil
	case "malformed":
		return &http.MalformedError{Reason: text}, nil
	}
	return nil, fmt.Errorf("%q is no error of a request", word)
}

type ofHTTP struct{ *call }

// Send answers as the recording did: with the first exchange of the same endpoint, method, path and
// body.
func (c ofHTTP) Send(endpoint string, asked http.Request) (http.Response, error) {
	for _, e := range c.facts.exchanges {
		if e.Endpoint == endpoint && e.Request.Method == asked.Method &&
			e.Request.Path == asked.Path && bytes.Equal(e.Request.Body, asked.Body) {
			return note(c.call, "http.response", e.Outcome.response, e.Outcome.err)
		}
	}
	reason := fmt.Sprintf("the fixture has no answer of `%s` to %s %s", endpoint, asked.Method, asked.Path)
	return note(c.call, "http.response", http.Response{}, error(&http.RefusedError{Reason: reason}))
}
