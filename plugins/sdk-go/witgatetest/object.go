package witgatetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// readObject reads a file that holds one JSON object with no other fields than these. An error names
// the line of the field.
func readObject(path string, fields map[string]any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	if err := readFields(decoder, fields); err != nil {
		offset := decoder.InputOffset()
		var at *fieldError
		var syntax *json.SyntaxError
		switch {
		case errors.As(err, &syntax):
			offset = syntax.Offset
		case errors.As(err, &at):
			offset = at.offset
		}
		line := 1 + bytes.Count(text[:min(offset, int64(len(text)))], []byte("\n"))
		return fmt.Errorf("%s:%d: %w", path, line, err)
	}
	return nil
}

// fieldError is what is wrong with the value of a field.
type fieldError struct {
	field  string
	offset int64
	err    error
}

func (e *fieldError) Error() string { return e.field + ": " + e.err.Error() }

func (e *fieldError) Unwrap() error { return e.err }

func readFields(decoder *json.Decoder, fields map[string]any) error {
	start, err := decoder.Token()
	if err == nil && start != json.Delim('{') {
		err = errors.New("it is no object")
	}
	if err != nil {
		return err
	}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		name, offset := fmt.Sprint(token), decoder.InputOffset()
		into, known := fields[name]
		if !known {
			return fmt.Errorf("there is no field %q", name)
		}
		if err := decoder.Decode(into); err != nil {
			return &fieldError{field: name, offset: offset, err: err}
		}
	}
	if _, err := decoder.Token(); err != nil {
		return err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("something follows the object")
	}
	return nil
}
