package load

import (
	"bytes"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"
)

// tape is a body that gives some bytes at a time.
type tape struct {
	all  []byte
	step int
	at   int
}

func (t *tape) Read(p []byte) (int, error) {
	if t.at == len(t.all) {
		return 0, io.EOF
	}
	n := copy(p, t.all[t.at:min(t.at+t.step, len(t.all))])
	t.at += n
	return n, nil
}

// said is a stream of n chunks as vLLM writes them, each with a text of its own,
// and size bytes long; aged, each is also of another second.
func said(n int, aged bool) (all []byte, size int) {
	var b bytes.Buffer
	for k := range n {
		c := strings.Replace(chunks[0], " the", fmt.Sprintf(" %05d", k), 1)
		if aged {
			c = strings.Replace(c, `"created":1764`, fmt.Sprintf(`"created":1764%06d`, k), 1)
		}
		fmt.Fprintf(&b, "data: %s\n\n", c)
	}
	return b.Bytes(), b.Len() / n
}

// From its first chunk on a stream costs no allocation, read one by one.
func TestAStreamCostsNoAllocationForAChunk(t *testing.T) {
	cost := func(n int) float64 {
		all, size := said(n, false)
		tr := Timing{FirstToken: -1, Chunks: make([]Chunk, 0, n)}
		body := &tape{all: all, step: size}
		return testing.AllocsPerRun(100, func() {
			tr.Chunks, body.at = tr.Chunks[:0], 0
			if err := read(body, stamper{t0: time.Now()}, &tr, wish{}, false); err == nil || len(tr.Chunks) != n { // it never ends
				t.Fatal(err, len(tr.Chunks))
			}
		})
	}
	if few, many := cost(100), cost(2000); many > few+2 { // the collector may take a buffer
		t.Errorf("%g allocations for 100 chunks, %g for 2,000", few, many)
	}
}

// heard is what a stream was taken for, but for its moments.
func heard(data []byte, step int, keep bool) (Timing, string) {
	tr := Timing{FirstToken: -1, FirstByte: -1, LastToken: -1, End: -1}
	told := ""
	if err := read(&tape{all: data, step: step}, stamper{t0: time.Now()}, &tr, wish{}, keep); err != nil {
		told = err.Error()
	}
	tr.FirstToken, tr.FirstByte, tr.LastToken, tr.End, tr.Text = 0, 0, 0, 0, nil
	for i := range tr.Chunks {
		tr.Chunks[i] = NewChunk(0, tr.Chunks[i].Tokens())
	}
	return tr, told
}

// However a stream is cut into reads, the quick way and the full decoder take it
// for the same.
func FuzzStream(f *testing.F) {
	for i := range chunks {
		f.Add([]byte("\ufeffdata: "+chunks[i]+"\r\n\r\ndata:"+chunks[0]+"\n\ndata: [DONE]\n\n"), 7)
		f.Add([]byte(": ping\n\ndata: "+chunks[0]+"\r\rdata: "+chunks[i]+"\n\r\n"), 100)
	}
	f.Fuzz(func(t *testing.T, data []byte, step int) {
		want, told := heard(data, 1<<20, true)
		for _, s := range []int{1, max(1, step), 1 << 20} {
			got, said := heard(data, s, false)
			if !reflect.DeepEqual(got, want) || said != told {
				t.Errorf("%q by %d bytes: %+v (%s), the full decoder at once: %+v (%s)", data, s, got, said, want, told)
			}
		}
	})
}

// budget is what a chunk may cost, in CPU time and from its read to its stamp
// and count.
const budget = time.Microsecond

// BenchmarkChunk fails where a chunk costs more than its budget: one that is
// like the one before, and one for the fast parser. What is unusual is decoded
// in full, and may cost more.
func BenchmarkChunk(b *testing.B) {
	for _, c := range []struct {
		name       string
		aged, keep bool
		budget     time.Duration
	}{{"like", false, false, budget}, {"fast", true, false, budget}, {"full", false, true, time.Hour}} {
		b.Run(c.name, func(b *testing.B) {
			const n = 1000
			all, size := said(n, c.aged)
			tr := Timing{FirstToken: -1, Chunks: make([]Chunk, 0, n)}
			body := &tape{all: all, step: size}
			b.ReportAllocs()
			cpu, chunks := CPUTime(), 0
			for b.Loop() {
				tr.Chunks, tr.Text, body.at = tr.Chunks[:0], tr.Text[:0], 0
				if err := read(body, stamper{t0: time.Now()}, &tr, wish{}, c.keep); err == nil || len(tr.Chunks) != n {
					b.Fatal(err, len(tr.Chunks))
				}
				chunks += n
			}
			each := (CPUTime() - cpu) / time.Duration(chunks)
			b.ReportMetric(float64(each), "cpu-ns/chunk")
			if each > c.budget {
				b.Errorf("a chunk costs %v of CPU, want at most %v", each, c.budget)
			}
		})
	}
}
