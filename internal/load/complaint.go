package load

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// mostWords bounds what an error quotes of a server.
const mostWords = 300

// complaint is what a server says has failed in a JSON value, and "" where it says
// nothing of the kind. Servers and the gateways before them have many shapes for it:
// a field error (a text, an object, a list), vLLM's {"object":"error"}, FastAPI's
// detail, {"code":500,"msg":…}, {"success":false}, a field named as an exception.
func complaint(data []byte) string {
	data = bytes.TrimSpace(data)
	var list []json.RawMessage
	if len(data) > 0 && data[0] == '[' && json.Unmarshal(data, &list) == nil && len(list) > 0 {
		return complaint(list[0])
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(data, &fields) != nil {
		return ""
	}
	for key, value := range fields {
		if faulty(strings.ToLower(key), value) {
			return words(data)
		}
	}
	return ""
}

// faulty says that a field of an event that holds no part of an answer reports a failure.
func faulty(key string, value json.RawMessage) bool {
	if void(value) {
		return key == "success" && string(value) == "false"
	}
	switch key {
	case "object", "type", "status", "event", "state":
		var text string
		_ = json.Unmarshal(value, &text) // not a text: a number, judged below
		if names(text) {
			return true
		}
	case "errors", "err", "detail", "fault", "error_message", "error_msg", "errormessage", "error_type", "errormsg":
		return true
	}
	if key == "code" || key == "status" || key == "status_code" || key == "statuscode" {
		var code float64
		return json.Unmarshal(value, &code) == nil && code >= 400
	}
	return strings.HasSuffix(key, "error") || strings.HasSuffix(key, "exception")
}

// names says that a word of a server's names a failure.
func names(word string) bool {
	word = strings.ToLower(word)
	for _, w := range []string{"error", "exception", "fail", "abort", "cancel", "timeout", "timed_out", "overload", "unavailable", "interrupt"} {
		if strings.Contains(word, w) {
			return true
		}
	}
	return false
}

// void is a value that says nothing.
func void(value json.RawMessage) bool {
	switch string(bytes.TrimSpace(value)) {
	case "", "null", `""`, "false", "{}", "[]", "0":
		return true
	}
	return false
}

// words are a server's own, to be quoted: a text as it is, short JSON whole, and of
// long JSON its message.
func words(data []byte) string {
	data = bytes.TrimSpace(data)
	var text string
	if json.Unmarshal(data, &text) != nil && len(data) > mostWords {
		text = message(data)
	}
	if text == "" {
		text = strings.ToValidUTF8(string(data), "\ufffd")
	}
	return fmt.Sprintf("%.*s", mostWords, strings.Join(strings.Fields(text), " "))
}

// message finds the text that says what failed in an object, or in the first of a list.
func message(data []byte) string {
	var list []json.RawMessage
	if json.Unmarshal(data, &list) == nil && len(list) > 0 {
		return message(list[0])
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(data, &fields) != nil {
		return ""
	}
	for _, key := range []string{"message", "msg", "detail", "error", "errors", "reason", "description", "fault", "faultstring"} {
		var text string
		value, ok := fields[key]
		if !ok {
			continue
		}
		if json.Unmarshal(value, &text) != nil {
			text = message(value)
		}
		if text != "" {
			return text
		}
	}
	return ""
}
