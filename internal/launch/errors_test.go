package launch

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestAMarkedErrorKeepsItsWordsAndItsCause(t *testing.T) {
	err := fmt.Errorf("pull a/b: %w", Mark(ErrAway, fmt.Errorf("the answer broke off: %w", io.ErrUnexpectedEOF)))
	if got, want := err.Error(), "pull a/b: the answer broke off: unexpected EOF"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !errors.Is(err, ErrAway) || !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, ErrHost) {
		t.Errorf("%v is not of its kind alone", err)
	}
	if !errors.Is(ErrNoImage, ErrImage) || errors.Is(ErrImage, ErrNoImage) {
		t.Error("a missing image is one that cannot be run, and not the reverse")
	}
}
