// Go's yield, spawn + join, channel hand-over, timers, and a million parked goroutines, on one P.
package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"
)

func report(name, unit string, value float64) {
	fmt.Printf("{\"name\": %q, %q: %.3f}\n", name, unit, value)
}

// How long work, which does something n times, takes for one of them: the best of three.
func nanosecondsEach(n int, work func(n int)) float64 {
	best := 0.0
	for attempt := 0; attempt < 3; attempt++ {
		begin := time.Now()
		work(n)
		each := float64(time.Since(begin).Nanoseconds()) / float64(n)
		if attempt == 0 || each < best {
			best = each
		}
	}
	return best
}

func yields(goroutines int) func(int) {
	return func(n int) {
		var all sync.WaitGroup
		all.Add(goroutines)
		for g := 0; g < goroutines; g++ {
			go func() {
				for i := 0; i < n/goroutines; i++ {
					runtime.Gosched()
				}
				all.Done()
			}()
		}
		all.Wait()
	}
}

func spawnsAndJoins(batch int) func(int) {
	return func(n int) {
		for done := 0; done < n; done += batch {
			var all sync.WaitGroup
			all.Add(batch)
			for i := 0; i < batch; i++ {
				go all.Done()
			}
			all.Wait()
		}
	}
}

func handOver(capacity int) func(int) {
	return func(n int) {
		channel := make(chan int, capacity)
		done := make(chan bool)
		go func() {
			for range channel {
			}
			done <- true
		}()
		for i := 0; i < n; i++ {
			channel <- i
		}
		close(channel)
		<-done
	}
}

func residentBytes() float64 {
	var size, resident float64
	statm, _ := os.ReadFile("/proc/self/statm")
	fmt.Sscan(string(statm), &size, &resident)
	return resident * float64(os.Getpagesize())
}

func parkedMillion() {
	const count = 1_000_000
	before := residentBytes()
	gate := make(chan bool)
	var started, woken sync.WaitGroup
	started.Add(count)
	woken.Add(count)
	begin := time.Now()
	for i := 0; i < count; i++ {
		go func() {
			started.Done()
			<-gate
			woken.Done()
		}()
	}
	started.Wait()
	runtime.Gosched() // the last one has still to park
	report("parked_million_create", "seconds", time.Since(begin).Seconds())
	report("parked_million_bytes", "bytes", (residentBytes()-before)/count)
	maps, _ := os.ReadFile("/proc/self/maps")
	report("parked_million_maps", "lines", float64(bytes.Count(maps, []byte("\n"))))
	begin = time.Now()
	close(gate)
	woken.Wait()
	report("parked_million_wake", "seconds", time.Since(begin).Seconds())
}

func timersMillion() {
	const count = 1_000_000
	timers := make([]*time.Timer, count)
	begin := time.Now()
	for i := range timers {
		timers[i] = time.AfterFunc(time.Hour+time.Duration(i*7919%count)*time.Microsecond, func() {})
	}
	report("timers_million_insert", "ns", float64(time.Since(begin).Nanoseconds())/count)
	begin = time.Now()
	for _, timer := range timers {
		timer.Stop()
	}
	report("timers_million_cancel", "ns", float64(time.Since(begin).Nanoseconds())/count)
}

func main() {
	runtime.GOMAXPROCS(1)
	report("yield_2", "ns", nanosecondsEach(2_000_000, yields(2)))
	report("yield_1000", "ns", nanosecondsEach(2_000_000, yields(1000)))
	report("spawn_join", "ns", nanosecondsEach(500_000, spawnsAndJoins(1)))
	report("spawn_join_batch", "ns", nanosecondsEach(500_000, spawnsAndJoins(1000)))
	report("queue_handover", "ns", nanosecondsEach(2_000_000, handOver(0)))
	report("queue_handover_buffered", "ns", nanosecondsEach(2_000_000, handOver(64)))
	parkedMillion() // before the timers, which leave garbage behind
	timersMillion()
}
