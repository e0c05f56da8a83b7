// Command standin makes and changes stand-in GPUs from a shell.
//
//	standin FILE new [N] [SETTING…]        N GPUs, default 1
//	standin FILE sensor GPU [SETTING…]     how its power is seen from now on; none: as it is
//	standin FILE power GPU WATTS
//	standin FILE temperature GPU CELSIUS
//	standin FILE throttle GPU BITS
//	standin FILE persistence GPU 0|1
//	standin FILE mig GPU 0|1
//	standin FILE utilisation GPU PERCENT
//	standin FILE memory GPU BYTES
//	standin FILE process GPU PID           the one process on it; 0: none
//	standin FILE reset GPU                 the energy counter, to zero
//	standin FILE fail GPU CALL CODE        see standin.Control.Fail
//
// A SETTING is a word such as refresh=500ms, look=0.25, shared, counter-delay=30ms or
// capability=9.0: see GPU.Set and Sensor in the package standin. sensor takes those of
// the sensor alone.
//
// FILE is also what LLEM_STANDIN names. It is pure Go and may be built static.
package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"github.com/llenergymeasure/llem/internal/meter/standin"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "standin:", err)
		os.Exit(2)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return errors.New("usage: standin FILE COMMAND [GPU] [VALUE…]; see its source")
	}
	path, command, args := args[0], args[1], args[2:]
	if command == "new" {
		return create(path, args)
	}
	if len(args) == 0 {
		return fmt.Errorf("%s: name a GPU", command)
	}
	gpu, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	c, err := standin.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	lowest := 0
	if command == "fail" {
		lowest = -1
	}
	if gpu < lowest || gpu >= c.GPUs() {
		return fmt.Errorf("no GPU %d among %d", gpu, c.GPUs())
	}
	if command == "sensor" {
		return sensor(c, gpu, args[1:])
	}
	return set(c, command, gpu, args[1:])
}

func create(path string, args []string) error {
	n := 1
	if len(args) > 0 {
		if count, err := strconv.Atoi(args[0]); err == nil {
			n, args = count, args[1:]
		}
	}
	if n < 1 {
		return fmt.Errorf("new %d: at least 1 GPU", n)
	}
	var g standin.GPU
	for _, word := range args {
		if err := g.Set(word); err != nil {
			return err
		}
	}
	c, err := standin.New(path, slices.Repeat([]standin.GPU{g}, n)...)
	if err != nil {
		return err
	}
	return c.Close()
}

// sensor changes how a GPU is seen.
func sensor(c *standin.Control, gpu int, args []string) error {
	var g standin.GPU
	for _, word := range args {
		if err := g.Set(word); err != nil {
			return err
		}
	}
	if g != (standin.GPU{Sensor: g.Sensor}) {
		return errors.New("sensor: a setting that is not of the sensor: use new")
	}
	c.SetSensor(gpu, g.Sensor)
	return nil
}

func set(c *standin.Control, command string, gpu int, args []string) error {
	if command == "reset" && len(args) == 0 {
		c.ResetCounter(gpu)
		return nil
	}
	if len(args) == 0 {
		return fmt.Errorf("%s: a value is missing", command)
	}
	v, err := strconv.ParseFloat(args[len(args)-1], 64)
	if err != nil || v < 0 {
		return fmt.Errorf("%s: %q is no value", command, args[len(args)-1])
	}
	switch {
	case command == "power":
		c.SetPower(gpu, v)
	case command == "temperature":
		c.SetTemperature(gpu, int(v))
	case command == "throttle":
		c.SetThrottle(gpu, uint64(v))
	case command == "persistence":
		c.SetPersistence(gpu, v != 0)
	case command == "mig":
		c.SetMIG(gpu, v != 0)
	case command == "utilisation":
		c.SetUtilisation(gpu, int(v))
	case command == "memory":
		c.SetMemoryUsed(gpu, uint64(v))
	case command == "process" && v == 0:
		c.SetProcesses(gpu)
	case command == "process":
		c.SetProcesses(gpu, standin.Process{PID: int(v)})
	case command == "fail" && len(args) == 2:
		c.Fail(gpu, args[0], int(v))
	default:
		return fmt.Errorf("no command %s with %d values", command, len(args))
	}
	return nil
}
