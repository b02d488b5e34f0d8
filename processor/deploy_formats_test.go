package processor_test

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/processor"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
)

type (
	order struct {
		N int32 `json:"n"`
	}
	orderWithNote struct { // has a field more, and a wider one
		N    int64  `json:"n"`
		Note string `json:"note"`
	}
	orderWithText struct { // has a field more, and reads what has it not, as that reads it
		N    int32  `json:"n"`
		Text string `json:"text"`
	}
	orderOfText struct {
		N string `json:"n"`
	}
)

// orders2 is another version of a codec that says what it reads.
type orders2 struct{ serde.Serde[order] }

func (orders2) Format() string          { return "orders/2" }
func (o orders2) Reads(was string) bool { return was == serde.FormatOf(o.Serde) }

// orders3 reads the version before it alone.
type orders3 struct{ orders2 }

func (orders3) Format() string        { return "orders/3" }
func (orders3) Reads(was string) bool { return was == "orders/2" }

var errStuck = errors.New("stuck")

// A link is a repartition topic in a format, and what is behind it.
type link[K, V any] struct {
	keys   serde.Serde[K]
	values serde.Serde[V]
	key    func(string) K
	value  func(n int) V
	text   func(V) string
}

// version writes the text of the last value of each key. One that is stuck fails behind the topic, so that what is in it
// stays under way.
func (l link[K, V]) version(stuck bool) deployed {
	return func(b *stream.Builder) {
		in := stream.TryMapValues(stream.From(b, deployIn), func(_ *stream.Context, r *stream.Record[string, string]) (V, error) {
			return l.value(len(r.Value)), nil
		})
		rekeyed := stream.Map(in, func(k string, v V) (K, V) { return l.key(k), v })
		texts := stream.TryMapValues(stream.Repartition("by", rekeyed, l.keys, l.values), func(_ *stream.Context, r *stream.Record[K, V]) (string, error) {
			if stuck {
				return "", errStuck
			}
			return l.text(r.Value), nil
		})
		joined := stream.Reduce("n", stream.GroupByKey(texts), func(acc, v string) string { return acc + "," + v }, serde.String)
		stream.To(joined.Changes(), stream.Topic[K, string]{Name: "out", Key: l.keys, Value: serde.String})
	}
}

func same(k string) string { return k }

var (
	plainLink = link[string, order]{serde.String, serde.JSON[order](), same, func(n int) order { return order{int32(n)} },
		func(o order) string { return fmt.Sprint(o.N) }}
	widerLink = link[string, orderWithNote]{serde.String, serde.JSON[orderWithNote](), same, func(n int) orderWithNote { return orderWithNote{N: int64(n)} },
		func(o orderWithNote) string { return fmt.Sprint(o.N) }}
	moreLink = link[string, orderWithText]{serde.String, serde.JSON[orderWithText](), same, func(n int) orderWithText { return orderWithText{N: int32(n)} },
		func(o orderWithText) string { return fmt.Sprint(o.N) }}
	codecLink = link[string, order]{serde.String, orders2{serde.JSON[order]()}, same, plainLink.value, plainLink.text}
	newLink   = link[string, order]{serde.String, orders3{codecLink.values.(orders2)}, same, plainLink.value, plainLink.text}
	textLink  = link[string, orderOfText]{serde.String, serde.JSON[orderOfText](), same, func(n int) orderOfText { return orderOfText{strconv.Itoa(n)} },
		func(o orderOfText) string { return o.N }}
	bytesLink = link[[]byte, order]{serde.Bytes, serde.JSON[order](), func(k string) []byte { return []byte(k) }, plainLink.value, plainLink.text}
	int64Link = link[string, int64]{serde.String, serde.Int64, same, func(n int) int64 { return int64(n) },
		func(n int64) string { return fmt.Sprint(n) }}
)

// What is under way in a repartition topic, and what will be, is read as what it was written as, or refused; then the
// version that wrote it goes on as if nothing had been.
func TestRepartitionInAnotherFormat(t *testing.T) {
	for name, c := range map[string]struct {
		next    deployed
		refused []string // words; none is right
	}{
		"the same":                           {next: plainLink.version(false)},
		"JSON, a field more and a wider one": {next: widerLink.version(false)},
		"a codec that reads the one before":  {next: codecLink.version(false)},
		"JSON, another type of a field":      {textLink.version(false), []string{"values: was", "is"}},
		"another serde of the values":        {int64Link.version(false), []string{"values: was", `is "int64"`}},
		"another serde of the keys":          {bytesLink.version(false), []string{`keys: was "string"`, `is "bytes"`}},
	} {
		for _, underWay := range []bool{true, false} {
			for _, lose := range disks() {
				t.Run(fmt.Sprintf("%s/under way %v/disk lost %v", name, underWay, lose), func(t *testing.T) {
					t.Parallel()
					r := newRig(t, lose)
					r.put(firstRecords)
					if err := r.deploy(plainLink.version(false)); err != nil {
						t.Fatal(err)
					}
					r.put(nextRecords)
					if err := r.deploy(plainLink.version(underWay)); underWay != errors.Is(err, errStuck) {
						t.Fatal(err)
					}
					goesOn, err := c.next, r.deploy(c.next)
					if len(c.refused) > 0 {
						mustRefuse(t, err, append(c.refused, "app-by-repartition", "partition 0", "another name", "millrace reset")...)
						if strings.Contains(err.Error(), "task") {
							t.Errorf("it joined the group before it was refused: %v", err)
						}
						goesOn = plainLink.version(false)
					} else if err != nil {
						t.Fatal(err)
					}
					r.end()
					if err := r.deploy(goesOn); err != nil {
						t.Fatal(err)
					}
					mustEqual(t, r.last("out"), alone(t, plainLink.version(false), firstRecords+nextRecords))
				})
			}
		}
	}
}

// A version need not read what was processed before the one before it; but where it is still under way it is refused, and
// that one goes on.
func TestRepartitionOverThreeVersions(t *testing.T) {
	for _, underWay := range []bool{false, true} {
		t.Run(fmt.Sprintf("under way %v", underWay), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, false)
			r.put(firstRecords)
			if err := r.deploy(plainLink.version(underWay)); underWay != errors.Is(err, errStuck) {
				t.Fatal(err)
			}
			r.put(nextRecords)
			if err := r.deploy(codecLink.version(underWay)); underWay != errors.Is(err, errStuck) {
				t.Fatal(err)
			}
			r.put(nextRecords)
			err, goesOn := r.deploy(newLink.version(false)), newLink
			if underWay {
				mustRefuse(t, err, `"app-by-repartition"`, "values: was")
				goesOn = codecLink
			} else if err != nil {
				t.Fatal(err)
			}
			r.end()
			if err := r.deploy(goesOn.version(false)); err != nil {
				t.Fatal(err)
			}
			mustEqual(t, r.last("out"), alone(t, plainLink.version(false), firstRecords+2*nextRecords))
		})
	}
}

// Nobody has read from the topic yet: what is in it is known by who wrote it.
func TestRepartitionThatNobodyHasRead(t *testing.T) {
	for name, c := range map[string]struct {
		next    deployed
		refused bool
	}{
		"another serde":                     {int64Link.version(false), true},
		"a codec that reads the one before": {codecLink.version(false), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, false)
			r.put(firstRecords)
			if err := r.deploy(plainLink.version(true)); !errors.Is(err, errStuck) {
				t.Fatal(err)
			}
			goesOn := c.next
			if c.refused {
				goesOn = plainLink.version(false)
				for range 2 {
					mustRefuse(t, r.deploy(c.next), `topic "app-by-repartition" partition 0`, "from offset 0 on", "values: was", "millrace reset")
				}
			}
			r.end()
			if err := r.deploy(goesOn); err != nil {
				t.Fatal(err)
			}
			mustEqual(t, r.last("out"), alone(t, plainLink.version(false), firstRecords))
		})
	}
}

// A version that is refused for its state has not written into a repartition topic in a format that the version before,
// which goes on, does not read.
func TestRefusedBeforeItWrites(t *testing.T) {
	t.Parallel()
	r := newRig(t, false)
	r.put(firstRecords)
	if err := r.deploy(plainLink.version(false)); err != nil {
		t.Fatal(err)
	}
	r.put(nextRecords)
	other := func(b *stream.Builder) {
		in := stream.MapValues(stream.From(b, deployIn), func(v string) order { return order{int32(len(v))} })
		counted := stream.Count("n", stream.GroupByKey(stream.Repartition("by", in, codecLink.keys, codecLink.values)))
		stream.To(counted.Changes(), deployOut)
	}
	mustRefuse(t, r.deploy(other), `store "n"`, "operator: was", "millrace reset")
	r.end()
	if err := r.deploy(plainLink.version(false)); err != nil {
		t.Fatal(err)
	}
	mustEqual(t, r.last("out"), alone(t, plainLink.version(false), firstRecords+nextRecords))
}

// changingKey is a link by other keys, so that tasks write to the partitions of others.
func changingKey[V any](l link[string, V]) deployed {
	l.key = func(k string) string { return "of " + k }
	return l.version(false)
}

// bothRun has an instance of one version, then one of another beside it, and sends records until stop.
func (r *rig) bothRun(v1, v2 deployed, stop func(old, fresh *instance) bool) (old, fresh *instance) {
	r.t.Helper()
	put := func() {
		for i := range 40 {
			r.at = r.at.Add(time.Second)
			r.send(fmt.Sprint("k", i))
		}
	}
	old = r.instance(r.t.TempDir(), v1)
	put()
	old.until(r.t, "all tasks", func() bool { return len(old.tasks) == 8 })
	fresh = r.instance(r.t.TempDir(), v2)
	fresh.until(r.t, "half of the tasks", func() bool { return len(fresh.tasks) == 4 })
	for !stop(old, fresh) {
		put()
	}
	return old, fresh
}

// checkTexts compares the last results with the records that were sent, each of the same number of every key.
func (r *rig) checkTexts() {
	r.t.Helper()
	records, keys := 0, 0
	for p := range int32(4) {
		for _, text := range r.lastIn("out", p) {
			records += strings.Count(text, ",") + 1
			keys++
		}
	}
	if records != r.sent || keys != 40 {
		r.t.Errorf("%d records of %d keys are in the results, %d of 40 were sent", records, keys, r.sent)
	}
}

// Two versions that read one another go on side by side.
func TestBothReadTheRepartition(t *testing.T) {
	t.Parallel()
	r := newRigOf(t, false, 4)
	rounds := 0
	old, fresh := r.bothRun(changingKey(plainLink), changingKey(moreLink), func(*instance, *instance) bool { rounds++; return rounds > 10 })
	topology := topologyOf(t, changingKey(moreLink))
	fresh.until(t, "all results", func() bool { return r.through(topology) })
	old.end(t)
	fresh.end(t)
	r.checkTexts()
}

// A version that does not read what the new one writes gives way to it: at the first such record it ends, without advice
// that would harm the new one, which has all its tasks then.
func TestOldVersionGivesWay(t *testing.T) {
	t.Parallel()
	r := newRigOf(t, false, 4)
	var why error
	_, fresh := r.bothRun(changingKey(plainLink), changingKey(codecLink), func(old, fresh *instance) bool {
		select {
		case why = <-old.done:
			return true
		case err := <-fresh.done:
			t.Fatalf("the new version ended: %v", err)
		default:
		}
		return false
	})
	mustRefuse(t, why, "app-by-repartition", "offset", `values: was "orders/2"`, "the others go on")
	if strings.Contains(why.Error(), "reset") {
		t.Errorf("it advises to start over: %v", why)
	}
	topology := topologyOf(t, changingKey(codecLink))
	fresh.until(t, "all results", func() bool { return len(fresh.tasks) == 8 && r.through(topology) })
	fresh.end(t)
	r.checkTexts()
}

// A partition in which nothing comes goes along with the versions: the next one is asked for what the one before it
// reads, not for what was read when there were records.
func TestAPartitionWithoutRecordsGoesAlong(t *testing.T) {
	t.Parallel()
	r := newRigOf(t, false, 4)
	for i, version := range []link[string, order]{plainLink, codecLink, codecLink, newLink} {
		for range 20 {
			r.at = r.at.Add(time.Second)
			for p := range int32(3) { // nothing ever comes in the fourth
				r.sendAt(p, fmt.Sprint("k", p), "v", r.at.UnixMilli())
			}
		}
		if err := r.deploy(version.version(false)); err != nil {
			t.Errorf("version %d: %v", i, err)
		}
	}
}

// A store stops in the middle of what one version has written, is away while another writes in its own format, and is
// brought up with the records of both.
func TestAwayBehindAnotherFormat(t *testing.T) {
	t.Parallel()
	version := func(l link[string, order], with, stops bool) deployed {
		return func(b *stream.Builder) {
			in := stream.MapValues(stream.From(b, deployIn), func(v string) order { return order{int32(len(v))} })
			read := stream.TryMapValues(stream.Repartition("by", in, l.keys, l.values), func(_ *stream.Context, r *stream.Record[string, order]) (order, error) {
				if stops && r.Key == "stops" {
					return order{}, errStuck
				}
				return r.Value, nil
			})
			by := stream.GroupByKey(read)
			stream.To(stream.Count("stays", by).Changes(), stream.Topic[string, int64]{Name: "side", Key: serde.String, Value: serde.Int64})
			if with {
				stream.To(stream.Count("goes", by).Changes(), deployOut)
			}
		}
	}
	r := newRig(t, false)
	r.put(firstRecords)
	first := r.instance(r.dir, version(plainLink, true, true))
	topology := topologyOf(t, version(plainLink, true, true))
	first.until(t, "all records", func() bool { return r.through(topology) })
	r.send("stops")
	if err := <-first.done; !errors.Is(err, errStuck) {
		t.Fatal(err)
	}
	for range 2 {
		r.put(nextRecords)
		if err := r.deploy(version(codecLink, false, false)); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.deploy(version(codecLink, true, false)); err != nil {
		t.Fatal(err)
	}
	if got, want := r.last("out"), r.last("side"); !maps.Equal(got, want) {
		t.Errorf("the store that was away has counted %v, the other %v", got, want)
	}
}

// A bounded run that has fixed where it ends, and was stopped before anybody had read, says nothing of formats: what is
// under way does.
func TestBoundedRunThatNobodyHasRead(t *testing.T) {
	t.Parallel()
	r := newRig(t, false)
	r.put(firstRecords)
	run := func(b deployed) error {
		app, err := processor.New(topologyOf(t, b), processor.Config{
			ApplicationID: "app", Brokers: r.broker.ListenAddrs(), StateDir: r.dir, CommitInterval: 2 * time.Millisecond, BoundedRun: "run",
		})
		if err != nil {
			t.Fatal(err)
		}
		return app.Run(t.Context())
	}
	if err := run(plainLink.version(true)); !errors.Is(err, errStuck) {
		t.Fatal(err)
	}
	for range 2 {
		err := run(int64Link.version(false))
		mustRefuse(t, err, "app-by-repartition", "another version", `is "int64"`)
		if strings.Contains(fmt.Sprint(err), "task") {
			t.Errorf("it joined the group before it was refused: %v", err)
		}
	}
	if err := run(plainLink.version(false)); err != nil {
		t.Errorf("the version that wrote it: %v", err)
	}
}
