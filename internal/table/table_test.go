package table

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	arrowparquet "github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
)

// rows are what every file of the tests has: text that may be null, lists and numbers.
type rows struct {
	ID   int64    `parquet:"id"`
	Text *string  `parquet:"text,optional,dict"`
	Tags []string `parquet:"tags,list"`
}

func someRows(n int) []rows {
	out := make([]rows, n)
	for i := range out {
		out[i].ID = int64(i)
		if i%7 != 3 {
			text := fmt.Sprintf("a text of number %d, %s", i/2, strings.Repeat("é", i%5))
			out[i].Text = &text
		}
		for k := range i % 4 {
			out[i].Tags = append(out[i].Tags, fmt.Sprint("tag ", k))
		}
	}
	return out
}

// byParquetGo is a file with checksums, in row groups of 10.
func byParquetGo(t testing.TB, list []rows) []byte {
	t.Helper()
	var out bytes.Buffer
	w := parquet.NewGenericWriter[rows](&out, parquet.MaxRowsPerRowGroup(10), parquet.Compression(&parquet.Zstd))
	for i := range list {
		if _, err := w.Write(list[i : i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// byArrow is a file without checksums.
func byArrow(t testing.TB, list []rows, options ...arrowparquet.WriterProperty) []byte {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64},
		{Name: "text", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "tags", Type: arrow.ListOf(arrow.BinaryTypes.String), Nullable: true},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	tags := b.Field(2).(*array.ListBuilder)
	for _, r := range list {
		b.Field(0).(*array.Int64Builder).Append(r.ID)
		if r.Text == nil {
			b.Field(1).AppendNull()
		} else {
			b.Field(1).(*array.StringBuilder).Append(*r.Text)
		}
		tags.Append(true)
		for _, tag := range r.Tags {
			tags.ValueBuilder().(*array.StringBuilder).Append(tag)
		}
	}
	var out bytes.Buffer
	options = append(options, arrowparquet.WithMaxRowGroupLength(15), arrowparquet.WithDataPageSize(200), arrowparquet.WithBatchSize(8))
	w, err := pqarrow.NewFileWriter(schema, &out, arrowparquet.NewWriterProperties(options...), pqarrow.DefaultWriterProps())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(b.NewRecordBatch()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// files are one table as writers write it.
func files(t testing.TB, list []rows) map[string][]byte {
	t.Helper()
	plain := arrowparquet.WithDictionaryDefault(false)
	v2 := arrowparquet.WithDataPageVersion(arrowparquet.DataPageV2)
	out := map[string][]byte{
		"parquet-go": byParquetGo(t, list),
		"dictionary": byArrow(t, list),
		"plain":      byArrow(t, list, plain),
		"pages v2":   byArrow(t, list, plain, v2),
		"lengths":    byArrow(t, list, plain, arrowparquet.WithEncodingFor("text", arrowparquet.Encodings.DeltaLengthByteArray)),
		"beginnings": byArrow(t, list, plain, v2, arrowparquet.WithEncodingFor("text", arrowparquet.Encodings.DeltaByteArray)),
	}
	for name, codec := range map[string]compress.Compression{
		"snappy": compress.Codecs.Snappy, "gzip": compress.Codecs.Gzip, "brotli": compress.Codecs.Brotli, "zstd": compress.Codecs.Zstd, "lz4": compress.Codecs.Lz4Raw,
	} {
		out[name] = byArrow(t, list, arrowparquet.WithCompression(codec), plain)
		out[name+", v2"] = byArrow(t, list, arrowparquet.WithCompression(codec), v2)
	}
	return out
}

// readAll is what is read of a file's columns of text.
func readAll(data []byte) (out []rows, err error) {
	f, err := Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	var columns []Column
	for _, c := range f.Columns() {
		if c.Type == Text && (c.Path[0] == "text" || c.Path[0] == "tags") {
			columns = append(columns, c)
		}
	}
	if len(columns) != 2 {
		return nil, fmt.Errorf("%d columns of text", len(columns))
	}
	err = f.Read(columns, 1<<20, func(row int64, cells []Cell) error {
		r := rows{ID: row - 1}
		if text := cells[0].Text(); !cells[0][0].Null && text != "" {
			r.Text = &text
		}
		for _, v := range cells[1] {
			r.Tags = append(r.Tags, v.Text)
		}
		out = append(out, r)
		return nil
	})
	return out, err
}

// Files of two writers, by every codec and encoding of text, are read as they were written.
func TestFilesOfEveryWriterAreRead(t *testing.T) {
	t.Parallel()
	want := someRows(100)
	for name, data := range files(t, want) {
		got, err := readAll(data)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v, -want +got:\n%.600s", name, err, diff)
		}
	}
}

// damaged says how many damaged files are read: LLEM_DAMAGED, else few.
func damaged(t *testing.T) int {
	n, err := strconv.Atoi(os.Getenv("LLEM_DAMAGED"))
	if err != nil {
		return 1500
	}
	t.Logf("%d damaged files", n)
	return n
}

// damage changes a copy of a file as disks, transfers and attackers do.
func damage(r *rand.Rand, whole []byte) []byte {
	data := bytes.Clone(whole)
	at := r.IntN(len(data))
	if r.IntN(3) == 0 { // the footer is small, and everything hangs on it
		at = len(data) - 1 - r.IntN(len(data)/3)
	}
	switch r.IntN(6) {
	case 0:
		return data[:at]
	case 1:
		data[at] ^= 1 << r.IntN(8)
	case 2:
		data[at] = 0xff
	case 3: // a long number
		for i := at; i < min(at+4, len(data)); i++ {
			data[i] = 0xff
		}
	case 4:
		for i := at; i < min(at+8, len(data)); i++ {
			data[i] = byte(r.Uint32())
		}
	case 5: // bytes are lost in between
		return append(data[:at], data[min(len(data), at+1+r.IntN(16)):]...)
	}
	return data
}

// A file that is damaged anywhere is an error or read, and never takes much memory:
// what cannot be taken ends the process, whatever recovers.
func TestDamagedFilesTakeNoMemory(t *testing.T) {
	const most = 600 << 20
	r := rand.New(rand.NewPCG(15, 967))
	all := files(t, someRows(60))
	var names []string
	for name := range all {
		names = append(names, name)
	}
	refused := 0
	for i := range damaged(t) {
		name := names[i%len(names)]
		data := damage(r, all[name])
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := readAll(data)
		if err != nil {
			refused++
		}
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > most {
			t.Fatalf("%s, file %d: %d MiB taken for %d bytes (%v)", name, i, took>>20, len(data), err)
		}
	}
	if refused == 0 {
		t.Error("no damage was seen")
	}
}

// Counts and lengths that cannot be are said, with what they are and what the limit is.
func TestLengthsThatCannotBe(t *testing.T) {
	t.Parallel()
	whole := byArrow(t, someRows(20), arrowparquet.WithDictionaryDefault(false))
	edit := func(do func(b []byte) []byte) []byte { return do(bytes.Clone(whole)) }
	for name, c := range map[string]struct {
		data []byte
		says string
	}{
		"nothing":             {nil, "too few"},
		"something else":      {[]byte("PK\x03\x04 a zip of something"), "does not begin and end as one"},
		"an encrypted file":   {append([]byte("PARE 1234 1234"), "PARE"...), "is encrypted"},
		"a footer of 4 GiB":   {edit(func(b []byte) []byte { copy(b[len(b)-8:], "\xff\xff\xff\xff"); return b }), "footer is said to have 4294967295 bytes"},
		"a list of 2^31":      {framed("\x29\xfc\xff\xff\xff\xff\x07"), "a list of 2147483647 elements"},
		"a string of 2^31":    {framed("\x68\xff\xff\xff\xff\x07"), "ends too early"},
		"no schema":           {framed("\x00"), "has no columns"},
		"a tree without end":  {framed("\x29\x2c\x48\x01a\x15\x02\x00\x48\x01b\x15\x02\x00\x00"), "fewer columns than it says"},
		"a chunk beyond all":  {edit(func(b []byte) []byte { return append(b[:4], b[40:]...) }), ""},
		"structures for ever": {framed(strings.Repeat("\x1c", 1000)), "nested too deep"},
	} {
		_, err := readAll(c.data)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
	page := make([]byte, 0, 64)
	page = append(page, "\x15\x00\x15\xfe\xff\xff\xff\x0f\x15\x02\x2c\x15\x02\x15\x00\x00\x00"...) // 2 GiB uncompressed
	c := cursor{f: &File{r: bytes.NewReader(append(page, make([]byte, 64)...))}, column: &Column{}, chunk: chunk{length: 81, codec: gzipCodec}, left: 1}
	if _, _, _, err := c.next(); err == nil || !strings.Contains(err.Error(), "over the limit of 256 MiB") {
		t.Errorf("a page of 2 GiB: %v", err)
	}
}

// framed is a file with that footer.
func framed(footer string) []byte {
	return append(append([]byte("PAR1"), footer...), byte(len(footer)), byte(len(footer)>>8), 0, 0, 'P', 'A', 'R', '1')
}

func FuzzOpen(f *testing.F) {
	for _, data := range files(f, someRows(3)) {
		f.Add(data)
	}
	f.Fuzz(func(_ *testing.T, data []byte) {
		_, _ = readAll(data)
	})
}
