package processor

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/windowing"
)

// A timePage is what /debug/time shows: for each task of this process where its
// time stands, and for each operator why. Times are RFC 3339; null is none.
type timePage struct {
	ApplicationID string     `json:"application_id"`
	Now           string     `json:"now"`
	Tasks         []timeTask `json:"tasks"`
}

type timeTask struct {
	Task      string         `json:"task"`
	State     string         `json:"state"`           // "running" or "restoring"
	Taken     *string        `json:"taken,omitempty"` // when the worker looked
	Inputs    []timeInput    `json:"inputs,omitempty"`
	Operators []timeOperator `json:"operators,omitempty"`
}

type timeInput struct {
	Topic     string         `json:"topic"`
	Partition int32          `json:"partition"`
	Watermark *string        `json:"watermark"`
	Idle      bool           `json:"idle"`
	Ended     bool           `json:"ended"`
	Queued    int            `json:"queued"`  // records that wait in the task
	Aligned   bool           `json:"aligned"` // they wait for slower inputs
	Upstream  []timeUpstream `json:"upstream,omitempty"`
}

type timeUpstream struct {
	Task      int     `json:"task"`
	Heard     bool    `json:"heard"`
	Watermark *string `json:"watermark"`
	Idle      bool    `json:"idle"`
	Ended     bool    `json:"ended"`
}

type timeOperator struct {
	Operator  string  `json:"operator"`
	Watermark *string `json:"watermark"`
	Passed    *string `json:"passed"` // what holds behind it
	Due       *string `json:"due"`    // the watermark at which something closes
	Why       string  `json:"why"`
}

func (a *App) serveTime(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(a.timePage()); err != nil {
		a.cfg.Logger.Sugar().Debugf("/debug/time: %v", err) // the client has gone
	}
}

func (a *App) timePage() timePage {
	page := timePage{ApplicationID: a.cfg.ApplicationID, Now: stamp(time.Now()), Tasks: []timeTask{}}
	for _, t := range a.times.all() {
		page.Tasks = append(page.Tasks, newTimeTask(t))
	}
	for _, id := range a.health.waiting() {
		page.Tasks = append(page.Tasks, timeTask{Task: id.String(), State: "restoring"})
	}
	return page
}

func newTimeTask(t taskTime) timeTask {
	taken := stamp(t.at)
	page := timeTask{Task: t.Task.String(), State: "running", Taken: &taken}
	for _, in := range t.Inputs {
		p := timeInput{
			Topic: in.Topic, Partition: in.Partition, Watermark: moment(in.Watermark), Idle: in.Idle, Ended: in.Ended,
			Queued: in.Queued, Aligned: in.Aligned,
		}
		for i, u := range in.Upstream {
			p.Upstream = append(p.Upstream, timeUpstream{Task: i, Heard: u.Heard, Watermark: moment(u.Watermark), Idle: u.Idle, Ended: u.Ended})
		}
		page.Inputs = append(page.Inputs, p)
	}
	for _, o := range t.Operators {
		page.Operators = append(page.Operators, timeOperator{
			Operator: o.Name, Watermark: moment(o.Arrived.Watermark), Passed: moment(o.Passed), Due: moment(o.Due), Why: why(&t.TimeInfo, o.Hold),
		})
	}
	return page
}

// why says in words what keeps the time of an operator where it is.
func why(t *task.TimeInfo, h task.Hold) string {
	in := &t.Inputs[h.Input]
	place := fmt.Sprintf("topic %q partition %d", in.Topic, in.Partition)
	at, because := in.Time, ""
	switch {
	case in.Internal && h.Upstream < 0:
		because = "waiting to hear from the upstream tasks of " + place + ": none of them has written there yet"
	case in.Internal:
		place = fmt.Sprintf("upstream task %d of %s", h.Upstream, place)
		at = in.Upstream[h.Upstream].Time
		if !in.Upstream[h.Upstream].Heard {
			because = "waiting to hear from " + place
		}
	}
	switch {
	case because != "":
	case at.Ended:
		because = "all input is at its end, " + place + " at " + text(at.Watermark)
	case at.Watermark == windowing.NoTime && in.Internal:
		because = "waiting for " + place + ", which has no time yet"
	case at.Watermark == windowing.NoTime:
		because = "waiting for the first record of " + place + silence(in)
	case at.Idle:
		because = "all input is idle; the highest time counts, that of " + place + ", which is at " + text(at.Watermark) + ", idle=true"
	default:
		because = "held back by " + place + ", which is at " + text(at.Watermark) + ", idle=false" + silence(in)
	}
	if in.Aligned {
		because += ", and its records wait for slower inputs"
	}
	if h.Behind != "" {
		because += fmt.Sprintf(", by way of operator %q", h.Behind)
	}
	return because
}

// silentAfter is how long nothing must have come on a partition that holds the
// time back for that to be mentioned.
const silentAfter = 10 * time.Second

// silence says that nothing comes on a source partition, and which setting
// answers that.
func silence(in *task.InputTime) string {
	switch {
	case in.Runs:
		return ", its time follows the clock"
	case in.Silent < silentAfter:
		return ""
	case in.Ruleless:
		return fmt.Sprintf(", nothing has come there for %v and its source has no rule for that (windowing.Watermarks.Idle)", in.Silent.Truncate(time.Second))
	}
	return fmt.Sprintf(", nothing has come there for %v", in.Silent.Truncate(time.Second))
}

// text is a time in words, a moment one for JSON: null where there is none.
func text(t windowing.EventTime) string {
	if m := moment(t); m != nil {
		return *m
	}
	return "no time"
}

func moment(t windowing.EventTime) *string {
	if t == windowing.NoTime || t == windowing.MaxTime {
		return nil
	}
	s := stamp(t.Time())
	return &s
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }
