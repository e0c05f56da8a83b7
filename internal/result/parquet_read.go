package result

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/parquet-go/parquet-go"

	"github.com/llenergymeasure/llem/internal/frame"
)

// ReadSamples reads a file that PutSamples wrote. A damaged one is an error.
func ReadSamples(path string) ([]SampleRow, error) { return read(path, soundSamples) }

// ReadRequests reads a file that PutRequests wrote. A damaged one is an error.
func ReadRequests(path string) ([]RequestRow, error) { return read(path, soundRequests) }

// ReadSamples reads the samples of the run in dir, as [Record.ReadRequests] does.
func (r *Record) ReadSamples(dir string) ([]SampleRow, error) {
	path, err := r.own(dir, r.SamplesFile, SamplesFile)
	if err != nil {
		return nil, err
	}
	return ReadSamples(path)
}

// ReadRequests reads the requests of the run in dir, if the file is the one that the
// record has a checksum of. A record that was cut off has none.
func (r *Record) ReadRequests(dir string) ([]RequestRow, error) {
	path, err := r.own(dir, r.RequestsFile, RequestsFile)
	if err != nil {
		return nil, err
	}
	return ReadRequests(path)
}

// own is the path of a file of the run in dir that the record calls name, and that
// has only ever had one name.
func (r *Record) own(dir, name, want string) (string, error) {
	path := filepath.Join(dir, want)
	if name != want {
		return "", fmt.Errorf("read %s: %s names %q in its place, which no llem has written", path, RecordFile, name)
	}
	at := slices.IndexFunc(r.Files, func(f File) bool { return f.Name == want })
	switch {
	case at >= 0:
		if diff := r.Files[at].Check(dir); diff != "" {
			return "", fmt.Errorf("read %s: it is not the file that was written: %s", path, diff)
		}
	case len(r.Files) > 0:
		return "", fmt.Errorf("read %s: it is not among the files of %s", path, RecordFile)
	}
	return path, nil
}

// ReadTimeseries reads the seconds of the run in dir, as [Record.ReadRequests] does.
func (r *Record) ReadTimeseries(dir string) ([]TimeseriesRow, error) {
	path, err := r.own(dir, r.Timeseries, TimeseriesFile)
	if err != nil {
		return nil, err
	}
	return read(path, func([]TimeseriesRow) error { return nil })
}

// WrittenAs is the schema_version under which a Parquet file of the run in dir was
// written. A damaged one is an error.
func WrittenAs(dir, name string) (version string, err error) {
	f, size, err := openOwn(filepath.Join(dir, name))
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // it is only read
	if _, err := frame.Check(f, size, true); err != nil {
		return "", fmt.Errorf("read %s: the file is damaged: %w", name, err)
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("read %s: the file is damaged: %v", name, p)
		}
	}()
	file, err := parquet.OpenFile(f, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return "", fmt.Errorf("read %s: the file is damaged: %w", name, err)
	}
	version, _ = file.Lookup("llem.schema_version")
	return version, nil
}

// openOwn opens a file of a run's folder for reading. A link, a pipe or a device is
// refused: it is nothing that a run wrote, and it may lead anywhere or never end.
func openOwn(path string) (*os.File, int64, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		return nil, 0, fmt.Errorf("%s is a link, and a run's files lie in its own folder", path)
	}
	if err != nil {
		return nil, 0, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a file (%s)", path, st.Mode().Type())
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, st.Size(), nil
}

// read reads all rows of a file, each of which must be sound. The file's framing is
// checked first, since the library takes what memory a file asks for.
func read[T any](path string, sound func([]T) error) (rows []T, err error) {
	f, size, err := openOwn(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, inner(err))
	}
	defer f.Close() //nolint:errcheck // it is only read
	shape, err := frame.Check(f, size, true)
	if err == nil {
		err = affordable[T](shape, size)
	}
	if err == nil {
		rows, err = decodeRows[T](f, size, int(shape.Rows))
	}
	if err == nil {
		err = sound(rows)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: the file is damaged: %w", path, err)
	}
	return rows, nil
}

// inner is an error without the path that the caller names.
func inner(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// A file may ask for so much memory: what any small one may, and a multiple of its
// size. The rows of real runs take 10 to 100 times what they take packed.
const (
	memoryOfAny  = 128 << 20
	memoryOfByte = 1 << 10
)

// affordable says whether the rows of a file fit in memory that its size warrants.
func affordable[T any](s frame.Shape, size int64) error {
	const value = 16 // bytes, of a list's or behind a pointer
	row := int64(reflect.TypeFor[T]().Size())
	limit := memoryOfAny + memoryOfByte*size
	if s.Columns == 0 || s.Rows > limit/row || s.Rows*row+s.Values*value > limit || s.Unpacked > limit {
		return fmt.Errorf("it claims %d rows and %d values in %d bytes", s.Rows, s.Values, size)
	}
	return nil
}

// decodeRows has the library read all rows. What it panics of is an error.
func decodeRows[T any](f io.ReaderAt, size int64, n int) (rows []T, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			rows, err = nil, fmt.Errorf("%v", p)
		}
	}()
	file, err := parquet.OpenFile(f, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, err
	}
	if err := sameColumns[T](file.Schema()); err != nil {
		return nil, err
	}
	r := parquet.NewGenericReader[T](file)
	defer r.Close() //nolint:errcheck // it is only read
	rows = make([]T, n)
	for at := 0; at < n; {
		got, err := r.Read(rows[at:])
		at += got
		if err != nil && !(errors.Is(err, io.EOF) && at == n) {
			return nil, fmt.Errorf("row %d of %d: %w", at+1, n, err)
		}
		if got == 0 && at < n {
			return nil, fmt.Errorf("it has %d rows and claims %d", at, n)
		}
	}
	return rows, nil
}

// sameColumns says whether a file has the columns of T, as they are written. The
// library would leave the values of others at 0.
func sameColumns[T any](have *parquet.Schema) error {
	want := parquet.SchemaOf(new(T))
	for _, path := range want.Columns() {
		w, _ := want.Lookup(path...)
		h, there := have.Lookup(path...)
		name := strings.Join(path, ".")
		switch {
		case !there && slices.Contains(columnsSince, path[0]):
		case !there:
			return fmt.Errorf("it has no column %s", name)
		case h.Node.Type().String() != w.Node.Type().String() || h.MaxDefinitionLevel != w.MaxDefinitionLevel && !(h.MaxDefinitionLevel == 0 && slices.Contains(optionalSince, path[0])) || h.MaxRepetitionLevel != w.MaxRepetitionLevel:
			return fmt.Errorf("its column %s is of type %s and not %s", name, h.Node.Type(), w.Node.Type())
		}
	}
	return nil
}

// columnsSince are columns that files of older llems lack.
var columnsSince = []string{
	"usage_refused", "experiment_id", "model", "cached_tokens", "input_tokens_by", "output_tokens_by", "planned_input_tokens", "planned_output_tokens",
}

// optionalSince are columns that could not be null in files of older llems, where 0
// was written for unknown, and chunks for tokens.
var optionalSince = []string{"input_tokens", "output_tokens", "reasoning_tokens"}
