package load

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// alarm waits for moments, through a timer of the kernel's that wakes whoever polls:
// the runtime's own timers are polled for in whole milliseconds, and come as late.
type alarm struct {
	fd   int
	file *os.File
	rang [8]byte
}

// newAlarm makes one; close it.
func newAlarm() (*alarm, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a timer: %w", outOfFiles(err))
	}
	return &alarm{fd: fd, file: os.NewFile(uintptr(fd), "timerfd")}, nil
}

func (a *alarm) close() { a.file.Close() }

// wait returns at a moment, or at once where it has passed, or with ctx's error when
// that ends.
func (a *alarm) wait(ctx context.Context, at time.Time) error {
	if ctx.Err() != nil || time.Until(at) <= 0 {
		return ctx.Err()
	}
	when := unix.ItimerSpec{Value: unix.NsecToTimespec(Monotonic(at))}
	if err := unix.TimerfdSettime(a.fd, unix.TFD_TIMER_ABSTIME, &when, nil); err != nil {
		return fmt.Errorf("set a timer: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = a.file.SetReadDeadline(time.Unix(1, 0)) }) // what fails here would wait on
	defer stop()
	if _, err := a.file.Read(a.rang[:]); err != nil && ctx.Err() == nil {
		return fmt.Errorf("wait for a timer: %w", err)
	}
	return ctx.Err()
}
