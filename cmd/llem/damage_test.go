package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/llenergymeasure/llem/internal/meter/standin"
	"github.com/llenergymeasure/llem/internal/peer"
	"github.com/llenergymeasure/llem/internal/result"
)

// damageChild makes the test's binary a reader of commands; damageTimes says how many
// damaged files of each kind there are (make damage).
const damageChild, damageTimes = "LLEM_DAMAGE_CHILD", "LLEM_DAMAGE"

// mostMemory is what no reader of damaged files may take, in KiB.
const mostMemory = 1 << 20

type reply struct {
	Code        int
	Stdout, Err string
}

// answerCommands runs the command lines on standard input, one after the other.
func answerCommands() int {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var args []string
		if err := in.Decode(&args); err != nil {
			return 0
		}
		var stdout, stderr bytes.Buffer
		code := execute(args, &stdout, &stderr)
		if err := out.Encode(reply{code, stdout.String(), stderr.String()}); err != nil {
			return 1
		}
	}
}

// reader is a process that reads results and studies until it is closed.
type reader struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
	err bytes.Buffer
}

func (h *host) reader(t *testing.T) *reader {
	t.Helper()
	r := &reader{t: t, cmd: exec.Command(os.Args[0])}
	r.cmd.Env, r.cmd.Dir, r.cmd.Stderr = append(slices.Clone(h.env), damageChild+"=1"), h.dir, &r.err
	var out io.Reader
	var err error
	if r.in, err = r.cmd.StdinPipe(); err == nil {
		if out, err = r.cmd.StdoutPipe(); err == nil {
			err = r.cmd.Start()
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	r.out = json.NewDecoder(out)
	return r
}

func (r *reader) run(args ...string) (a reply) {
	r.t.Helper()
	err := json.NewEncoder(r.in).Encode(args)
	if err == nil {
		err = r.out.Decode(&a)
	}
	if err != nil {
		_ = r.cmd.Wait() // it has ended
		r.t.Fatalf("llem %.200s: %v\n%.4000s", strings.Join(args, " "), err, r.err.String())
	}
	return a
}

// close says how much memory the reader took at most, in KiB.
func (r *reader) close() int64 {
	r.t.Helper()
	if err := r.in.Close(); err != nil {
		r.t.Fatal(err)
	}
	if err := r.cmd.Wait(); err != nil {
		r.t.Fatalf("%v\n%.4000s", err, r.err.String())
	}
	return r.cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss
}

// hurt is data with one thing wrong; nil: the file is gone.
func hurt(random *rand.Rand, data []byte) []byte {
	if len(data) == 0 {
		return []byte("x")
	}
	out := bytes.Clone(data)
	at := random.IntN(len(out))
	end := min(at+1+random.IntN(64), len(out))
	switch random.IntN(16) {
	case 0:
		return nil
	case 1:
		return []byte{}
	case 2:
		return append(out, out...)
	case 3:
		return out[:at]
	case 4, 5:
		return slices.Concat(out[:at], out[end:])
	case 6:
		return slices.Concat(out[:end], out[at:])
	case 7:
		to := random.IntN(len(out) - (end - at) + 1)
		copy(out[to:], data[at:end])
	case 8, 9:
		for i := at; i < end; i++ {
			out[i] = byte(random.IntN(256))
		}
	case 10, 11: // a digit, where there is one
		if i := bytes.IndexAny(out[at:], "0123456789"); i >= 0 {
			out[at+i] = '0' + byte(random.IntN(10))
		}
	default:
		out[at] ^= 1 << random.IntN(8)
	}
	return out
}

func put(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if data == nil {
		return
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// Files of results and studies with one thing wrong, as disks, copies and people make
// them: no command panics or takes a gigabyte, and none takes what was changed for what
// was written. One reader reads them all, so that a bad one hides no other.
func TestDamagedFilesAreSaid(t *testing.T) {
	t.Parallel()
	const few = 100
	times := few
	if text := os.Getenv(damageTimes); text != "" {
		var err error
		if times, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	h := newHost(t, standin.GPU{Power: 100})
	one := h.llem(h.quick("-n", "4")...)
	if one.code != exitDone {
		t.Fatalf("exit %d\n%s", one.code, one.stderr)
	}
	if o := h.llem("run", "--quick", h.sweep(grid)); o.code != exitDone {
		t.Fatalf("exit %d\n%s", o.code, o.stderr)
	}
	list, err := os.ReadDir(one.dirs[0])
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range list {
		t.Run(f.Name(), func(t *testing.T) {
			if times > few {
				t.Parallel()
			}
			d := damage{h: h, t: t, file: f.Name(), random: rand.New(rand.NewPCG(uint64(i), 1))}
			d.results(one.dirs[0], times)
		})
	}
	study := h.studyDir()
	for i, file := range []string{result.PlanFile, result.StudyFile, result.JournalFile, result.SummaryFile, result.SummaryTableFile, result.StudyInputFile} {
		t.Run(file, func(t *testing.T) {
			if times > few {
				t.Parallel()
			}
			d := damage{h: h, t: t, file: file, random: rand.New(rand.NewPCG(uint64(i), 2))}
			d.study(study, times)
		})
	}
}

// damage is what is done to files of one kind.
type damage struct {
	h      *host
	t      *testing.T
	file   string
	random *rand.Rand
}

// done says what came of the kind.
func (d *damage) done(r *reader, times, said int) {
	d.t.Helper()
	memory := r.close()
	if memory > mostMemory {
		d.t.Errorf("%s: %d KiB were taken", d.file, memory)
	}
	d.t.Logf("%-20s %d damaged, %d said, %d MiB at most", d.file, times, said, memory>>10)
}

// copies are results like the one in from, each with the file damaged.
func (d *damage) copies(from string, n int) (dirs []string, meant []bool) {
	r, _, err := result.Read(from)
	if err != nil {
		d.t.Fatal(err)
	}
	list, err := os.ReadDir(from)
	if err != nil {
		d.t.Fatal(err)
	}
	base := d.t.TempDir()
	for i := range n {
		dir := filepath.Join(base, fmt.Sprintf("%04d", i))
		if err := os.Mkdir(dir, 0o755); err != nil {
			d.t.Fatal(err)
		}
		for _, f := range list {
			if err := os.Link(filepath.Join(from, f.Name()), filepath.Join(dir, f.Name())); err != nil {
				d.t.Fatal(err)
			}
		}
		r.ExperimentID = fmt.Sprint("e", i) // or compare takes it for the same run
		text, err := r.Encode()
		if err != nil {
			d.t.Fatal(err)
		}
		put(d.t, filepath.Join(dir, result.RecordFile), text)
		was, err := os.ReadFile(filepath.Join(dir, d.file))
		if err != nil {
			d.t.Fatal(err)
		}
		now := hurt(d.random, was)
		put(d.t, filepath.Join(dir, d.file), now)
		same := now != nil && bytes.Equal(was, now)
		if d.file == result.RecordFile && !same {
			same = sameMeaning[result.Record](was, now, func(r *result.Record) { r.RecordSHA256 = "" })
		}
		dirs, meant = append(dirs, dir), append(meant, same)
	}
	return dirs, meant
}

// sameMeaning says whether two texts of JSON mean the same, but for their own checksum.
func sameMeaning[T any](was, now []byte, bare func(*T)) bool {
	var a, b T
	if json.Unmarshal(was, &a) != nil || json.Unmarshal(now, &b) != nil {
		return false
	}
	bare(&a)
	bare(&b)
	return reflect.DeepEqual(a, b)
}

func (d *damage) results(from string, times int) {
	r := d.h.reader(d.t)
	said := 0
	const batch = 50
	for done := 0; done < times; done += batch {
		dirs, same := d.copies(from, min(batch, times-done))
		as := peer.Names()[done/batch%len(peer.Names())]
		replies := map[string]reply{}
		for _, args := range [][]string{{"verify"}, {"show"}, {"compare"}, {"export", "--csv", "-"}, {"show", "--as", as}} {
			replies[strings.Join(args, " ")] = r.run(append(args, dirs...)...)
		}
		verify := replies["verify"]
		for i, dir := range dirs {
			_, section, _ := strings.Cut(verify.Stdout, dir+"\n")
			section, _, _ = strings.Cut(section, "\n\n")
			verified := strings.Contains(section, "  differs ") || strings.Contains(verify.Err, dir)
			if same[i] {
				continue
			}
			if said++; !verified {
				d.silent(dir, "verify", verify)
			}
			for command, a := range replies {
				must := d.file == result.RecordFile || d.file == result.RequestsFile && strings.HasPrefix(command, "show --as")
				if must && command != "verify" && (!strings.Contains(a.Err, dir) || a.Code == exitDone) {
					d.silent(dir, command, a)
				}
			}
		}
		if err := os.RemoveAll(filepath.Dir(dirs[0])); err != nil {
			d.t.Fatal(err)
		}
	}
	d.done(r, times, said)
}

// silent fails the test, and keeps the file.
func (d *damage) silent(dir, command string, a reply) {
	d.t.Helper()
	kept, err := os.CreateTemp("", "llem-damaged-*-"+d.file)
	if err == nil {
		data, _ := os.ReadFile(filepath.Join(dir, d.file)) // it may be gone
		_, err = kept.Write(data)
		kept.Close()
	}
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Errorf("%s: llem %s says nothing of %s (exit %d):\n%.600s", d.file, command, kept.Name(), a.Code, a.Err)
}

// study damages a file of a study again and again. What reads it changes nothing.
func (d *damage) study(from string, times int) {
	dir := filepath.Join(d.t.TempDir(), filepath.Base(from))
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		d.t.Fatal(err)
	}
	path := filepath.Join(dir, d.file)
	was, err := os.ReadFile(path)
	if err != nil {
		d.t.Fatal(err)
	}
	r := d.h.reader(d.t)
	said, before := 0, tree(d.t, dir)
	for range times {
		now := hurt(d.random, was)
		put(d.t, path, now)
		if now != nil && bytes.Equal(was, now) {
			continue
		}
		show, resume := reply{Code: exitDone}, r.run("run", "--resume", "--dry-run", dir)
		if now != nil || d.file != result.PlanFile { // without a plan it is a folder of runs
			show = r.run("show", dir)
		}
		switch d.file {
		case result.PlanFile:
			bare := func(p *result.StudyPlan) { p.PlanSHA256, p.StudySHA256 = "", "" }
			if sameMeaning(was, now, bare) {
				continue
			}
			if said++; resume.Code == exitDone || now != nil && show.Code == exitDone {
				d.silent(dir, "show and run --resume", resume)
			}
		case result.StudyFile:
			if said++; resume.Code == exitDone {
				d.silent(dir, "run --resume", resume)
			}
		case result.JournalFile:
			said += d.journal(was, now)
		}
	}
	put(d.t, path, was)
	if after := tree(d.t, dir); !slices.Equal(before, after) {
		d.t.Errorf("%s: files were %v, and are %v", d.file, before, after)
	}
	d.done(r, times, said)
}

// journal says whether a damaged journal is known to be damaged. Lines that are missing
// at its end are told by the folders of their runs.
func (d *damage) journal(was, now []byte) (said int) {
	dir, err := os.MkdirTemp("", "llem-journal-")
	if err != nil {
		d.t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	read := func(data []byte) ([]result.JournalEntry, []string) {
		put(d.t, filepath.Join(dir, result.JournalFile), data)
		j, err := result.OpenJournal(dir)
		if err != nil {
			d.t.Fatal(err)
		}
		defer j.Close()
		return j.Entries(), j.Doubts()
	}
	want, _ := read(was)
	got, doubts := read(now)
	if len(doubts) == 0 && !(len(got) <= len(want) && reflect.DeepEqual(want[:len(got)], slices.Clip(got[:len(got):len(got)])) || len(got) == 0) {
		d.silent(dir, "the journal", reply{})
	}
	return min(1, len(doubts))
}

// tree lists the files below a folder.
func tree(t *testing.T, dir string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		out = append(out, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
