package frame

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

type row struct {
	N     int64    `parquet:"n"`
	Word  string   `parquet:"word,dict"`
	Maybe *int32   `parquet:"maybe,optional"`
	List  []string `parquet:"list,list"`
}

// file is a sound one, of three row groups.
func file(tb testing.TB, codec compress.Codec) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[row](&b, parquet.Compression(codec), parquet.MaxRowsPerRowGroup(40), parquet.PageBufferSize(256))
	for i := range 100 {
		r := row{N: int64(i), Word: strings.Repeat("w", i%5)}
		if n := int32(i); i%3 == 0 {
			r.Maybe, r.List = &n, []string{"a", strings.Repeat("b", i)}
		}
		if _, err := w.Write([]row{r}); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func check(data []byte) (Shape, error) { return Check(bytes.NewReader(data), int64(len(data)), false) }

var codecs = map[string]compress.Codec{
	"none": &parquet.Uncompressed, "zstd": &parquet.Zstd, "snappy": &parquet.Snappy, "gzip": &parquet.Gzip, "lz4": &parquet.Lz4Raw,
}

func TestASoundFilePasses(t *testing.T) {
	for name, codec := range codecs {
		s, err := check(file(t, codec))
		if err != nil || s.Rows != 100 || s.Columns != 4 || s.Values != 100*3+134 || s.Unpacked < 1000 {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}

// changed is the file with its metadata changed by do.
func changed(t *testing.T, data []byte, do func(*format.FileMetaData)) []byte {
	t.Helper()
	n := int(binary.LittleEndian.Uint32(data[len(data)-8:]))
	at := len(data) - 8 - n
	var m format.FileMetaData
	if err := thrift.Unmarshal(&thrift.CompactProtocol{}, data[at:at+n], &m); err != nil {
		t.Fatal(err)
	}
	do(&m)
	out, err := thrift.Marshal(&thrift.CompactProtocol{}, &m)
	if err != nil {
		t.Fatal(err)
	}
	return withFooter(data[:at], out)
}

func withFooter(data, footer []byte) []byte {
	out := append(bytes.Clone(data), footer...)
	return append(binary.LittleEndian.AppendUint32(out, uint32(len(footer))), magic...)
}

// Each is a lie that a library takes memory for, or reads past the file's end for.
func TestLengthsAndCountsThatCannotBeAreErrors(t *testing.T) {
	sound := file(t, &parquet.Zstd)
	column := func(m *format.FileMetaData) *format.ColumnMetaData { return &m.RowGroups[1].Columns[0].MetaData }
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty":                   {nil, "too short"},
		"text":                    {[]byte("a line of text\n"), "does not begin and end"},
		"cut off":                 {sound[:len(sound)-100], "does not begin and end"},
		"begins elsewhere":        {append([]byte("x"), sound...), "does not begin and end"},
		"footer longer than file": {append(binary.LittleEndian.AppendUint32(bytes.Clone(sound[:len(sound)-8]), math.MaxUint32), magic...), "footer claims"},
		"footer of nothing":       {withFooter(sound[:len(sound)/2], nil), "footer is damaged"},
		"list of 2^31 groups":     {withFooter([]byte(magic), []byte{0x49, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07}), "a list of"},
		"text of 2^40 bytes":      {withFooter([]byte(magic), []byte{0x68, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20}), "ends within a value"},
		"struct in struct":        {withFooter([]byte(magic), bytes.Repeat([]byte{0x1c}, 1000)), "nested"},
		"more rows":               {changed(t, sound, func(m *format.FileMetaData) { m.NumRows = math.MaxInt64 }), "rows"},
		"negative rows":           {changed(t, sound, func(m *format.FileMetaData) { m.RowGroups[0].NumRows = -1 }), "rows"},
		"a column less":           {changed(t, sound, func(m *format.FileMetaData) { m.RowGroups[2].Columns = m.RowGroups[2].Columns[:3] }), "columns"},
		"more values":             {changed(t, sound, func(m *format.FileMetaData) { column(m).NumValues = math.MaxInt64 }), "values"},
		"offset behind the end":   {changed(t, sound, func(m *format.FileMetaData) { column(m).DataPageOffset = math.MaxInt64 }), "data ends at"},
		"negative offset":         {changed(t, sound, func(m *format.FileMetaData) { column(m).DataPageOffset = -1 }), "data ends at"},
		"longer than the file":    {changed(t, sound, func(m *format.FileMetaData) { column(m).TotalCompressedSize = math.MaxInt64 }), "data ends at"},
		"into the next column":    {changed(t, sound, func(m *format.FileMetaData) { column(m).TotalCompressedSize++ }), "page at byte"},
		"another file":            {changed(t, sound, func(m *format.FileMetaData) { m.RowGroups[0].Columns[0].FilePath = "/etc/passwd" }), "another file"},
		"no children":             {changed(t, sound, func(m *format.FileMetaData) { m.Schema[0].NumChildren.V = math.MaxInt32 }), "schema"},
	} {
		if s, err := check(c.data); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %+v, %v; want %q", name, s, err, c.want)
		}
	}
}

// A page's header is changed in place: its number is as long as the one before.
func TestPagesThatClaimTooMuchAreErrors(t *testing.T) {
	page := func(h format.PageHeader, body []byte) []byte {
		t.Helper()
		head, err := thrift.Marshal(&thrift.CompactProtocol{}, &h)
		if err != nil {
			t.Fatal(err)
		}
		return append(head, body...)
	}
	zstdOf := func(size byte) []byte { return []byte{0x28, 0xb5, 0x2f, 0xfd, 0x20, size, 0x01 | 0x08, 0, 0, 'x'} }
	bomb := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58}
	for range 1000 { // each unpacks to 128 KiB
		bomb = append(bomb, 0x02, 0x00, 0x10, 'x')
	}
	bomb = append(bomb, 0x03, 0x00, 0x10, 'x')
	data := func(unpacked, packed, values int32) format.PageHeader {
		h := format.PageHeader{Type: format.DataPage, UncompressedPageSize: unpacked, CompressedPageSize: packed}
		h.DataPageHeader.V.NumValues, h.DataPageHeader.Valid = values, true
		return h
	}
	words := format.PageHeader{Type: format.DictionaryPage, UncompressedPageSize: 10, CompressedPageSize: 10}
	words.DictionaryPageHeader.V.NumValues, words.DictionaryPageHeader.Valid = math.MaxInt32, true
	other := data(1, 10, 1)
	other.Type = format.DataPageV2
	for name, c := range map[string]struct {
		codec int64
		page  []byte
		want  string
	}{
		"sound":                      {zstd, page(data(1, 10, 1), zstdOf(1)), ""},
		"unpacks to 2 GB":            {zstd, page(data(math.MaxInt32, 10, 1), zstdOf(1)), "unpack to"},
		"negative size":              {zstd, page(data(-1, 10, 1), zstdOf(1)), "unpack to"},
		"packed beyond the column":   {zstd, page(data(1, 11, 1), zstdOf(1)), "claims 11 bytes of 10"},
		"2^31 values":                {zstd, page(data(1, 10, math.MaxInt32), zstdOf(1)), "values"},
		"2^31 words":                 {0, page(words, zstdOf(1)), "values"},
		"header of another type":     {zstd, page(other, zstdOf(1)), "not one of that type"},
		"zstd of another size":       {zstd, page(data(1, 10, 1), zstdOf(200)), "packed bytes do not"},
		"zstd of 128 MB, not stated": {zstd, page(data(1, int32(len(bomb)), 1), bomb), "packed bytes do not"},
		"not zstd":                   {zstd, page(data(1, 10, 1), []byte("0123456789")), "not Zstandard"},
		"snappy of 4 GB":             {snappy, page(data(1, 10, 1), []byte("\xff\xff\xff\xff\x0f12345")), "packed bytes do not"},
		"not packed, other sizes":    {0, page(data(1, 10, 1), zstdOf(1)), "not packed"},
	} {
		w := walk{r: bytes.NewReader(append([]byte(magic), c.page...)), chunk: chunk{codec: c.codec, values: 1, packed: int64(len(c.page)), data: 4, known: true}}
		_, err := w.pages()
		if got := fmt.Sprint(err); c.want == "" && err != nil || !strings.Contains(got, c.want) {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
	}
}

// A bit of every byte, of the footer and the pages' heads too: none makes Check panic
// or take memory beyond the file's.
func TestNoFlippedBitTakesMemory(t *testing.T) {
	sound := file(t, &parquet.Zstd)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range sound {
		bit := byte(1) << (i % 8)
		sound[i] ^= bit
		if s, err := check(sound); err == nil && (s.Rows > 100 || s.Values > 1000) {
			t.Errorf("bit %x of byte %d: %+v", bit, i, s)
		}
		sound[i] ^= bit
	}
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / uint64(len(sound)); each > 256<<10 {
		t.Errorf("%d bytes were taken for each check of a file of %d", each, len(sound))
	}
}

// A page whose bytes were changed is noticed where its checksum is looked at.
func TestAPageIsHeldToItsChecksum(t *testing.T) {
	for name, at := range map[string]int{"in the first page": 60, "in the middle": 1500, "later": 3000} {
		data := file(t, &parquet.Uncompressed)
		if _, err := Check(bytes.NewReader(data), int64(len(data)), true); err != nil {
			t.Fatal(err)
		}
		noticed := false
		for i := at; i < at+200 && !noticed; i++ { // one byte of them is a value's
			data[i] ^= 1
			_, err := Check(bytes.NewReader(data), int64(len(data)), true)
			noticed = err != nil && strings.Contains(err.Error(), "checksum")
			data[i] ^= 1
		}
		if !noticed {
			t.Errorf("%s: not noticed", name)
		}
	}
}

func FuzzCheck(f *testing.F) {
	for _, codec := range codecs {
		f.Add(file(f, codec))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := Check(bytes.NewReader(data), int64(len(data)), true); err == nil && (s.Rows < 0 || s.Values < 0 || s.Unpacked < 0) {
			t.Errorf("%+v", s)
		}
	})
}
