package result

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Events of a journal.
const (
	StudyBegun   = "study_begun"
	StudyResumed = "study_resumed"
	StudyChanged = "study_changed" // by the user, who said so
	StudyEnded   = "study_ended"
	RunBegun     = "run_begun"
	RunEnded     = "run_ended"
	RunAgain     = "run_again" // what an attempt left was set aside, since it was cut off
)

// JournalEntry is one line of journal.jsonl: one transition of a study or a run.
type JournalEntry struct {
	Seq          int       `json:"seq"` // from 1, without a hole
	At           time.Time `json:"at"`
	Event        string    `json:"event"`
	PID          int       `json:"pid,omitempty"`
	Host         string    `json:"host,omitempty"`
	LlemVersion  string    `json:"llem_version,omitempty"`
	StudyHash    string    `json:"study_hash,omitempty"`
	Run          int       `json:"run,omitempty"`
	Cycle        int       `json:"cycle,omitempty"`
	Point        string    `json:"point,omitempty"`
	ConfigHash   string    `json:"config_hash,omitempty"`
	Folder       string    `json:"folder,omitempty"`
	Attempt      int       `json:"attempt,omitempty"`
	ExperimentID string    `json:"experiment_id,omitempty"`
	Status       string    `json:"status,omitempty"`
	Reason       string    `json:"reason,omitempty"`
	// Sum is of the line without it: the first 16 digits of its SHA-256.
	Sum string `json:"sum"`
}

// ErrStudyHeld says that another llem runs the study.
var ErrStudyHeld = errors.New("the study is being run")

// Journal is a study's, open for one writer: another that opens it is refused,
// until this one closes it or its process ends, however it does.
type Journal struct {
	file    *os.File
	entries []JournalEntry
	doubts  []string
}

// maxReason bounds a line's free text in bytes.
const maxReason = 4096

// OpenJournal opens the journal of the study in dir, or begins it. What is torn at
// its end is cut off; a line that is damaged is passed over, which Doubts tells.
func OpenJournal(dir string) (*Journal, error) {
	path := filepath.Join(dir, JournalFile)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the study's journal: %w", err)
	}
	j := &Journal{file: f}
	if err := j.begin(dir); err != nil {
		_ = f.Close()
		return nil, err
	}
	return j, nil
}

func (j *Journal) begin(dir string) error {
	err := syscall.Flock(int(j.file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	held := errors.Is(err, syscall.EWOULDBLOCK)
	if err != nil && !held {
		return fmt.Errorf("lock %s: %w", j.file.Name(), err)
	}
	data, err := io.ReadAll(j.file)
	if err != nil {
		return fmt.Errorf("read the study's journal: %w", err)
	}
	whole := j.read(data)
	if held {
		return fmt.Errorf("%w: %s; wait until it ends, or stop it", ErrStudyHeld, j.holder(dir))
	}
	if whole < len(data) {
		j.doubts = append(j.doubts, fmt.Sprintf("%s: its last line was cut off as it was written; it is left out", j.file.Name()))
		if err := j.file.Truncate(int64(whole)); err != nil {
			return fmt.Errorf("cut off the journal's torn end: %w", err)
		}
	}
	if _, err := j.file.Seek(0, io.SeekEnd); err != nil {
		return fmt.Errorf("read the study's journal: %w", err)
	}
	return errors.Join(j.file.Sync(), syncDir(dir))
}

// read takes the lines that are whole, and says where the last one ends.
func (j *Journal) read(data []byte) (whole int) {
	for n, at := 1, 0; at < len(data); n++ {
		length := bytes.IndexByte(data[at:], '\n')
		if length < 0 {
			return at
		}
		line := data[at : at+length]
		at += length + 1
		e, err := parseEntry(line)
		switch {
		case err != nil && at == len(data):
			return at - length - 1 // torn, though its end was written
		case err != nil:
			j.doubts = append(j.doubts, fmt.Sprintf("%s:%d: %v; what became of its run is told by the run's own folder", j.file.Name(), n, err))
			continue
		case e.Seq != j.last()+1 && len(j.doubts) == 0:
			j.doubts = append(j.doubts, fmt.Sprintf("%s:%d: lines are missing before it; what became of their runs is told by the runs' own folders", j.file.Name(), n))
		}
		j.entries = append(j.entries, e)
	}
	return len(data)
}

func parseEntry(line []byte) (JournalEntry, error) {
	var e JournalEntry
	if err := json.Unmarshal(line, &e); err != nil {
		return e, fmt.Errorf("the line is damaged (%w)", err)
	}
	if sum, err := e.sum(); err != nil || sum != e.Sum {
		return e, errors.New("the line is damaged (its sum is another)")
	}
	return e, nil
}

func (e JournalEntry) sum() (string, error) {
	e.Sum = ""
	data, err := json.Marshal(e)
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8]), err
}

func (j *Journal) last() int {
	if len(j.entries) == 0 {
		return 0
	}
	return j.entries[len(j.entries)-1].Seq
}

// holder says who runs the study, as far as its last lines tell.
func (j *Journal) holder(dir string) string {
	for i := len(j.entries) - 1; i >= 0; i-- {
		if e := j.entries[i]; e.PID > 0 {
			return fmt.Sprintf("%s, by pid %d on %s since %s", dir, e.PID, e.Host, e.At.Format(time.RFC3339))
		}
	}
	return dir
}

// Add writes an entry and does not return before it is on the disk. It fills in
// its number, time and sum.
func (j *Journal) Add(e JournalEntry) error {
	e.Seq, e.At = j.last()+1, time.Now().UTC()
	e.Reason = strings.ToValidUTF8(e.Reason[:min(len(e.Reason), maxReason)], "") // or its sum would not be that of what is read
	var err error
	if e.Sum, err = e.sum(); err == nil {
		var data []byte
		if data, err = json.Marshal(e); err == nil {
			err = j.write(append(data, '\n'))
		}
	}
	if err != nil {
		return advise(JournalFile, err)
	}
	j.entries = append(j.entries, e)
	return nil
}

// write appends a line, or leaves no part of it.
func (j *Journal) write(line []byte) error {
	at, err := j.file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if _, err := j.file.Write(line); err != nil {
		return errors.Join(err, j.file.Truncate(at))
	}
	return j.file.Sync()
}

// Entries are those that were read and written, in order.
func (j *Journal) Entries() []JournalEntry { return j.entries }

// Doubts say what of the journal could not be read.
func (j *Journal) Doubts() []string { return j.doubts }

// Close lets another llem run the study.
func (j *Journal) Close() error {
	// Explicitly, since a child between fork and exec still has the file open.
	_ = syscall.Flock(int(j.file.Fd()), syscall.LOCK_UN)
	return j.file.Close()
}
