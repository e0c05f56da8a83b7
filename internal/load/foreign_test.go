package load

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// answered drives one request of two tokens to a server that answers so.
func answered(t *testing.T, kind, body string) *Timing {
	t.Helper()
	return once(t, serve(t, OpenAIOptions{Timeout: 30 * time.Second}, func(w http.ResponseWriter, r *http.Request) {
		if kind != "" {
			w.Header().Set("Content-Type", kind)
		} else {
			w.Header()["Content-Type"] = nil
		}
		io.WriteString(w, body) //nolint:errcheck // the client may have gone
	}))
}

const sse = "text/event-stream"

// However a server says that it failed, after whatever it sent, and whatever it sends
// after it, the request has failed with the server's own words.
func TestForeignErrorShapesFailTheRequest(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"a field error, as llama.cpp's":      one + `error: {"code":400,"message":"no room"}` + "\n\n" + done,
		"a field Error with text":            one + "Error: no room\n\n" + done,
		"a field error and no blank line":    one + `error: {"message":"no room"}`,
		"data error, then [DONE]":            one + `data: {"error":{"message":"no room","code":504}}` + "\n\n" + done,
		"data error of text":                 one + `data: {"error":"no room"}` + "\n\n" + done,
		"data error after the end":           one + last + counts + `data: {"error":{"message":"no room"}}` + "\n\n" + done,
		"data error and error_type, as TGI":  one + `data: {"error":"no room","error_type":"generation"}` + "\n\n",
		"data error in a list":               `data: [{"error":{"code":429,"message":"no room"}}]` + "\n\n" + done,
		"an error beside choices of nothing": one + `data: {"choices":[],"error":{"message":"no room"}}` + "\n\n" + done,
		"an error in a choice":               one + `data: {"choices":[{"delta":{"content":""},"finish_reason":"stop","error":{"message":"no room"}}]}` + "\n\n" + done,
		"event: error with JSON":             one + "event: error\ndata: {\"message\":\"no room\"}\n\n" + done,
		"event: error with text":             one + "event: error\ndata: no room\n\n" + done,
		"event: error after its data":        one + "data: no room\nevent: error\n\n" + done,
		"event: response.failed":             one + "event: response.failed\ndata: {\"reason\":\"no room\"}\n\n" + done,
		"event: exception with a chunk":      "event: exception\ndata: {\"choices\":[{\"text\":\"no room\",\"finish_reason\":\"stop\"}]}\n\n" + done,
		"vLLM's object error":                one + `data: {"object":"error","message":"no room","type":"BadRequestError","code":400}` + "\n\n" + done,
		"Anthropic's type error":             one + `data: {"type":"error","error":{"type":"overloaded_error","message":"no room"}}` + "\n\n",
		"FastAPI's detail":                   one + `data: {"detail":"no room"}` + "\n\n" + done,
		"FastAPI's detail in a list":         one + `data: {"detail":[{"loc":["body"],"msg":"no room"}]}` + "\n\n" + done,
		"a code and a msg":                   one + `data: {"code":500,"msg":"no room","data":null}` + "\n\n" + done,
		"success false":                      one + `data: {"success":false,"message":"no room"}` + "\n\n" + done,
		"errors":                             one + `data: {"errors":["no room"]}` + "\n\n" + done,
		"an exception's name":                one + `data: {"internalServerException":{"message":"no room"}}` + "\n\n" + done,
		"a fault":                            `data: {"fault":{"faultstring":"no room"}}` + "\n\n" + done,
		"an unknown event, and no end":       one + `data: {"notice":"no room"}` + "\n\n" + done,
		"a line of JSON, as Ollama's":        one + `{"error":"no room"}` + "\n" + done,
		"a line of text":                     one + "worker died: no room\n\n" + done,
		"a traceback":                        one + "Traceback (most recent call last):\n  no room\n",
		"a long error's message":             `data: {"error":{"param":"` + strings.Repeat("x", 2000) + `","message":"no room"}}` + "\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tr := answered(t, sse, body); tr.Status != StatusFailed || !strings.Contains(tr.Error, "no room") {
				t.Errorf("status %s: %s", tr.Status, tr.Error)
			}
		})
	}
}

// A 200 with a body that is no event stream is a failure that says what it was.
func TestABodyThatIsNoStreamFailsTheRequest(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ kind, body, says string }{
		"JSON error":                    {"application/json", `{"error":{"code":400,"message":"no room"}}`, "no room"},
		"JSON error as a stream":        {sse, `{"error":{"code":400,"message":"no room"}}`, "no room"},
		"JSON error over lines":         {"application/json", "{\n  \"error\": {\n    \"message\": \"no room\"\n  }\n}\n", "no room"},
		"JSON error of text, no type":   {"", `{"error":"no room"}`, "no room"},
		"vLLM's error":                  {"application/json; charset=utf-8", `{"object":"error","message":"no room","code":40303}`, "no room"},
		"a detail, as text":             {"text/plain", `{"detail":"no room"}`, "no room"},
		"JSON of no known shape":        {"application/json", `{"answer":"no room"}`, "no room"},
		"a list":                        {"application/json", `[{"error":{"message":"no room"}}]`, "no room"},
		"a text in JSON":                {"application/json", `"no room"`, "no room"},
		"an answer":                     {"application/json", `{"choices":[{"text":"a b","finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}`, "the server did not stream"},
		"an answer of a chat, indented": {sse, "{\n \"choices\": [\n  {\"message\": {\"content\": \"a\"}}\n ]\n}", "the server did not stream"},
		"a long answer":                 {"application/json", `{"choices":[{"text":"` + strings.Repeat("a", 1<<20) + `"}]}`, "the server did not stream"},
		"lines of JSON":                 {"application/x-ndjson", `{"response":"a","done":false}` + "\n" + `{"response":"b","done":true}` + "\n", `"response":"a"`},
		"an error in lines of JSON":     {"application/x-ndjson", `{"response":"a","done":false}` + "\n" + `{"error":"no room"}` + "\n", "no room"},
		"HTML":                          {"text/html", "<html>\n<body>502 no\nroom</body></html>", "502 no room"},
		"text":                          {"text/plain; charset=utf-8", "upstream connect error: no room", "no room"},
		"nothing":                       {sse, "", "is empty"},
		"nothing of no type":            {"", "\n\n", "is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := answered(t, c.kind, c.body)
			if tr.Status != StatusFailed || !strings.Contains(tr.Error, c.says) || len(tr.Error) > 600 {
				t.Errorf("status %s: %s", tr.Status, tr.Error)
			}
		})
	}
}

// An answer of no token has failed, whatever ends it; one whose tokens the server
// counted has tokens, though none of them reads as text.
func TestAnAnswerOfNoTokenHasFailed(t *testing.T) {
	t.Parallel()
	const (
		role  = `data: {"choices":[{"delta":{"role":"assistant","content":""}}]}` + "\n\n"
		ended = `data: {"choices":[{"text":"","finish_reason":"stop"}]}` + "\n\n"
		none  = `data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":0}}` + "\n\n"
	)
	for name, c := range map[string]struct{ body, says string }{
		"[DONE] alone":              {done, "no token came"},
		"[DONE] many times":         {strings.Repeat(done, 50), "no token came"},
		"[DONE] without an end":     {strings.Repeat(done, 20_000), "does not end"},
		"an answer, then [DONE]s":   {one + last + counts + strings.Repeat(done, 20_000), "does not end"},
		"pings and [DONE]":          {": ping\n\n" + done, "no token came"},
		"pings alone":               {": ping\n\n: ping\n\n", "is empty"},
		"a role":                    {role + done, "no token came"},
		"a finish reason":           {ended, "finish reason stop"},
		"a finish reason, [DONE]":   {role + ended + done, "finish reason stop"},
		"a usage of none":           {ended + none + done, "no token came"},
		"no choices":                {`data: {"choices":[]}` + "\n\n" + done, "no token came"},
		"null choices":              {`data: {"choices":null}` + "\n\n" + done, "null"},
		"a failure as its end":      {one + `data: {"choices":[{"text":"","finish_reason":"Timeout"}]}` + "\n\n" + counts + done, "finish reason Timeout"},
		"cancelled, as its end":     {one + `data: {"choices":[{"text":"","finish_reason":"request_cancelled"}]}` + "\n\n" + counts + done, "finish reason request_cancelled"},
		"error_finish as its end":   {one + `data: {"choices":[{"text":"","finish_reason":"error_finish"}]}` + "\n\n" + done, "finish reason error_finish"},
		"no text, tokens counted":   {ended + counts + done, ""},
		"reasoning":                 {`data: {"choices":[{"delta":{"reasoning_content":"hm"},"finish_reason":"length"}]}` + "\n\n", ""},
		"a call of a tool":          {`data: {"choices":[{"delta":{"tool_calls":[{"function":{"name":"f"}}]},"finish_reason":"tool_calls"}]}` + "\n\n", ""},
		"a refusal":                 {`data: {"choices":[{"delta":{"refusal":"I will not"},"finish_reason":"stop"}]}` + "\n\n", ""},
		"thinking":                  {`data: {"choices":[{"delta":{"thinking":"hm"},"finish_reason":"length"}]}` + "\n\n", ""},
		"the old call of function":  {`data: {"choices":[{"delta":{"function_call":{"name":"f","arguments":"{}"}},"finish_reason":"function_call"}]}` + "\n\n", ""},
		"an error of null, of none": {strings.Replace(one, `]}`, `],"error":null}`, 1) + strings.Replace(last, `]}`, `],"error":""}`, 1) + done, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := answered(t, sse, c.body)
			if c.says == "" && tr.Status != StatusOK || c.says != "" && tr.Status != StatusFailed || !strings.Contains(tr.Error, c.says) {
				t.Errorf("status %s: %s", tr.Status, tr.Error)
			}
		})
	}
}

// A stream that ends without a blank line after its last event is read to its end,
// and a usage is read wherever it stands.
func TestTheEndOfAStreamIsRead(t *testing.T) {
	t.Parallel()
	usage := strings.TrimRight(counts, "\n")
	for name, body := range map[string]string{
		"a usage and one line end":       one + last + usage + "\n",
		"a usage and no line end":        one + last + usage,
		"a usage and a CR":               one + last + usage + "\r",
		"[DONE] before the usage":        one + last + done + counts,
		"[DONE] before an unended usage": one + last + done + usage,
		"[DONE] before and after":        one + last + done + counts + done,
		"a usage with the last token":    one + strings.Replace(last, `]}`, `],"usage":{"prompt_tokens":3,"completion_tokens":2}}`, 1),
		"comments after the end":         one + last + counts + done + ": bye\n\n",
		"[DONE] and no line end":         one + last + counts + strings.TrimRight(done, "\n"),
		"cut within [DONE]":              one + last + counts + "data: [DO",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tr := answered(t, sse, body); tr.Status != StatusOK || tr.InputTokens != 3 || tr.OutputTokens != 2 || tr.UsageSource != "server" {
				t.Errorf("%+v", tr)
			}
		})
	}
	if tr := answered(t, sse, one+`data: {"choices":[{"te`); tr.Status != StatusFailed || !strings.Contains(tr.Error, "inside an event after 1 tokens") {
		t.Errorf("cut within an event: %+v", tr)
	}
}

// Whatever a server writes, an answer that is taken for whole holds tokens, and an
// error is short enough to read.
func FuzzForeign(f *testing.F) {
	for _, line := range []string{"error: x", `error: {"message":"x"}`, "event: error", "event: failed", "Traceback", `{"error":"x"}`, "data: [DONE]", `data: {"detail":"x"}`, "data: " + chunks[0], "data: " + chunks[1]} {
		f.Add([]byte(line+"\n\n"), []byte("data: "+chunks[0]+"\n\n"))
		f.Add([]byte("data: "+chunks[1]+"\r\r"), []byte(line))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		tr, said := heard(fmt.Appendf(nil, "%s%s", a, b), 1<<20, false)
		if said == "" && len(tr.Chunks) == 0 && tr.UsageSource == "none" {
			t.Errorf("%q%q is a whole answer of nothing: %+v", a, b, tr)
		}
		if len(said) > 8*mostWords {
			t.Errorf("%q%q: an error of %d bytes", a, b, len(said))
		}
	})
}
