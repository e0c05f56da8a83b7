package load

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// jsonLines reads objects, one a line. Blank lines are passed over.
func jsonLines(f *os.File, o PromptsOptions, add func(place, text string) error) error {
	s := bufio.NewScanner(withoutBOM(f))
	s.Buffer(make([]byte, 64<<10), maxRow)
	n := 0
	for s.Scan() {
		n++
		line := bytes.TrimSpace(s.Bytes())
		if len(line) == 0 {
			continue
		}
		place := fmt.Sprintf(":%d", n)
		text, err := promptOf(line, o.Column)
		if err != nil {
			return fmt.Errorf("%s%s: %w", o.Name, place, err)
		}
		if err := add(place, text); err != nil {
			return err
		}
	}
	if err := s.Err(); errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("%s:%d: the line is over %d MiB, which is the limit", o.Name, n+1, maxRow>>20)
	} else if err != nil {
		return fmt.Errorf("read %s: %w", o.Name, err)
	}
	return nil
}

// jsonArray reads objects in an array, such as those of ShareGPT.
func jsonArray(f *os.File, o PromptsOptions, add func(place, text string) error) error {
	limit := &bounded{r: withoutBOM(f), most: maxRow}
	dec := json.NewDecoder(limit)
	first, err := dec.Token()
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return fmt.Errorf("%s: not JSON: %w", o.Name, err)
	case first != json.Delim('['):
		return fmt.Errorf("%s: want an array of objects; one object a line is a .jsonl file", o.Name)
	}
	for n := 1; dec.More(); n++ {
		var row json.RawMessage
		place := fmt.Sprintf(", row %d", n)
		limit.begin(dec.InputOffset())
		if err := dec.Decode(&row); errors.Is(err, errRow) {
			return fmt.Errorf("%s%s: %w", o.Name, place, err)
		} else if err != nil {
			return fmt.Errorf("%s%s: not JSON: %w", o.Name, place, err)
		}
		text, err := promptOf(row, o.Column)
		if err != nil {
			return fmt.Errorf("%s%s: %w", o.Name, place, err)
		}
		if err := add(place, text); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return fmt.Errorf("%s: the array does not end: %w", o.Name, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: something stands behind the array's end", o.Name)
	}
	return nil
}

// promptOf takes the prompt out of one object.
func promptOf(row []byte, column string) (string, error) {
	if !utf8.Valid(row) {
		return "", errors.New("it is not UTF-8")
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(row, &object); err != nil {
		return "", fmt.Errorf("not a JSON object: %v", err)
	}
	for _, key := range []string{"image", "images"} {
		if raw, ok := object[key]; ok && !none(raw) {
			return "", fmt.Errorf("it has %q, and images are not in this version of llem: take such rows out", key)
		}
	}
	keys := promptKeys
	if column != "" {
		keys = []string{column}
	}
	for _, key := range keys {
		if raw, ok := object[key]; ok {
			return textOf(key, raw, object)
		}
	}
	switch {
	case column != "":
		return "", fmt.Errorf("it has no %q (workload.column)", column)
	case object["conversations"] != nil:
		return firstTurn(object["conversations"])
	case object["messages"] != nil:
		return onlyMessage(object["messages"])
	}
	return "", fmt.Errorf("none of the keys %s, conversations, messages", strings.Join(promptKeys, ", "))
}

// none is whether a value says nothing.
func none(raw json.RawMessage) bool {
	switch string(bytes.TrimSpace(raw)) {
	case "null", "[]", `""`:
		return true
	}
	return false
}

// textOf is the string of a key; an instruction's input is put below it, as such data
// sets mean it. null is as good as empty.
func textOf(key string, raw json.RawMessage, object map[string]json.RawMessage) (string, error) {
	var text, input string
	if err := json.Unmarshal(raw, &text); err != nil {
		return "", fmt.Errorf("%q is not a string", key)
	}
	if key != "instruction" || json.Unmarshal(object["input"], &input) != nil || input == "" {
		return text, nil
	}
	return text + "\n\n" + input, nil
}

// firstTurn is what a person first says in a conversation of ShareGPT.
func firstTurn(raw json.RawMessage) (string, error) {
	var turns []struct{ From, Value string }
	if err := json.Unmarshal(raw, &turns); err != nil {
		return "", errors.New(`"conversations" is no list of turns with from and value`)
	}
	for _, t := range turns {
		if t.From == "human" || t.From == "user" {
			return t.Value, nil
		}
	}
	return "", nil // nothing to send: left out
}

// onlyMessage is the user's one message, which an answer may follow.
func onlyMessage(raw json.RawMessage) (string, error) {
	var list []struct {
		Role    string          `json:"role"`
		Content json.RawMessage `json:"content"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return "", errors.New(`"messages" is no list of messages with role and content`)
	}
	text := ""
	for i, m := range list {
		switch {
		case m.Role == "assistant" && i == 1 && len(list) == 2: // the answer
		case m.Role != "user" || i > 0:
			return "", errors.New(`"messages" is more than one message of the user, and conversations of several turns or with a system's message are not in this version of llem: give each prompt as "prompt"`)
		case json.Unmarshal(m.Content, &text) != nil:
			return "", errors.New(`"content" of a message is not a string, and images are not in this version of llem`)
		}
	}
	return text, nil
}
