package serde

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// A typeMaker draws types that JSON can write, and others that a later version of an application might have in their
// place.
type typeMaker struct{ *rand.Rand }

func (m typeMaker) leaf() reflect.Type {
	leaves := []reflect.Type{
		reflect.TypeFor[bool](), reflect.TypeFor[string](), reflect.TypeFor[int](), reflect.TypeFor[int8](), reflect.TypeFor[int16](),
		reflect.TypeFor[int32](), reflect.TypeFor[int64](), reflect.TypeFor[uint](), reflect.TypeFor[uint8](), reflect.TypeFor[uint16](),
		reflect.TypeFor[uint32](), reflect.TypeFor[uint64](), reflect.TypeFor[uintptr](), reflect.TypeFor[float32](),
		reflect.TypeFor[float64](), reflect.TypeFor[json.Number](), reflect.TypeFor[any](),
	}
	return leaves[m.IntN(len(leaves))]
}

func (m typeMaker) key() reflect.Type {
	for {
		if k := m.leaf(); k.Kind() == reflect.String && k.PkgPath() == "" || integral(k.Kind()) {
			return k
		}
	}
}

func (m typeMaker) draw(depth int) reflect.Type {
	if depth == 0 {
		return m.leaf()
	}
	switch m.IntN(7) {
	case 0:
		return reflect.PointerTo(m.draw(depth - 1))
	case 1:
		return reflect.SliceOf(m.draw(depth - 1))
	case 2:
		return reflect.ArrayOf(1+m.IntN(2), m.draw(depth-1))
	case 3:
		return reflect.MapOf(m.key(), m.draw(depth-1))
	case 4:
		return m.leaf()
	}
	var fields []reflect.StructField
	for i := range 1 + m.IntN(3) {
		fields = append(fields, m.field(i, m.draw(depth-1)))
	}
	return reflect.StructOf(fields)
}

// field names the field i of a struct, sometimes in the other case.
func (m typeMaker) field(i int, of reflect.Type) reflect.StructField {
	tag := []string{"", "", "", fmt.Sprintf("%c", 'a'+i), ",omitempty", ",string"}[m.IntN(6)]
	return reflect.StructField{Name: fmt.Sprintf("%c", 'A'+i), Type: of, Tag: reflect.StructTag(fmt.Sprintf("json:%q", tag))}
}

// change is a type with something changed in a place or two.
func (m typeMaker) change(t reflect.Type) reflect.Type {
	switch m.IntN(14) {
	case 0:
		return reflect.PointerTo(t)
	case 1:
		return m.draw(1)
	}
	switch t.Kind() {
	case reflect.Pointer:
		if m.IntN(8) == 0 {
			return t.Elem()
		}
		return reflect.PointerTo(m.change(t.Elem()))
	case reflect.Slice:
		return reflect.SliceOf(m.change(t.Elem()))
	case reflect.Array:
		return reflect.ArrayOf(t.Len(), m.change(t.Elem()))
	case reflect.Map:
		key := t.Key()
		if m.IntN(3) == 0 {
			key = m.key()
		}
		return reflect.MapOf(key, m.change(t.Elem()))
	case reflect.Struct:
		return m.changeFields(t)
	}
	if m.IntN(2) == 0 {
		return m.leaf()
	}
	return t
}

func (m typeMaker) changeFields(t reflect.Type) reflect.Type {
	var fields []reflect.StructField
	for i := range t.NumField() {
		f := t.Field(i)
		switch m.IntN(6) {
		case 0:
			continue
		case 1:
			f.Type = m.change(f.Type)
		case 2:
			f = m.field(int(f.Name[0]-'A'), f.Type)
		}
		fields = append(fields, reflect.StructField{Name: f.Name, Type: f.Type, Tag: f.Tag})
	}
	if m.IntN(4) == 0 {
		fields = append(fields, reflect.StructField{Name: "Z", Type: m.draw(1)})
	}
	return reflect.StructOf(fields)
}

// fill sets a value of a type, near the ends of what it holds.
func (m typeMaker) fill(v reflect.Value) {
	zero := m.IntN(8) == 0
	switch k := v.Kind(); {
	case v.Type() == reflect.TypeFor[json.Number]():
		v.SetString([]string{"0", "-1", "1e400", "9007199254740993", "18446744073709551616", "0.1"}[m.IntN(6)])
	case zero && k != reflect.Array:
	case k == reflect.Bool:
		v.SetBool(true)
	case k == reflect.String:
		v.SetString([]string{"x", "7", "null", "é\"<"}[m.IntN(4)])
	case reflect.Int <= k && k <= reflect.Int64:
		v.SetInt([]int64{math.MinInt64, math.MaxInt64, -1, 1<<53 + 1, 1<<24 + 1}[m.IntN(5)] >> (64 - v.Type().Bits()))
	case reflect.Uint <= k && k <= reflect.Uintptr:
		v.SetUint([]uint64{math.MaxUint64, 1 << 63, 1<<53 + 1}[m.IntN(3)] >> (64 - v.Type().Bits()))
	case k == reflect.Float32:
		v.SetFloat([]float64{math.MaxFloat32, math.SmallestNonzeroFloat32, 1e21, 1e-6, -1.5, 1<<24 - 1, float64(float32(0.1))}[m.IntN(7)])
	case k == reflect.Float64:
		v.SetFloat([]float64{math.MaxFloat64, math.SmallestNonzeroFloat64, 16777217.125, 0.1, 1 << 53, 1e21, -1e-7}[m.IntN(7)])
	case k == reflect.Interface:
		v.Set(reflect.ValueOf([]any{"x", 1.5, true, []any{nil, 0.5}, map[string]any{"A": "a"}}[m.IntN(5)]))
	default:
		m.fillParts(v)
	}
}

func (m typeMaker) fillParts(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		m.fill(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			m.fill(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), m.IntN(3), 3))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			m.fill(v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range m.IntN(3) {
			key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			m.fill(key)
			m.fill(elem)
			v.SetMapIndex(key, elem)
		}
	}
}

// unchanged reports what is another value in is than it was, as far as both have it; "" if nothing is.
func unchanged(was, is reflect.Value) string {
	for was.Kind() == reflect.Pointer || is.Kind() == reflect.Pointer {
		if isNil(was) || isNil(is) {
			break
		}
		was, is = reflect.Indirect(was), reflect.Indirect(is)
	}
	if isNil(was) || isNil(is) {
		return differs(isNil(was) != isNil(is), was, is)
	}
	switch was.Kind() {
	case reflect.Struct:
		return unchangedFields(was, is)
	case reflect.Slice, reflect.Array:
		for i := range min(was.Len(), is.Len()) {
			if why := unchanged(was.Index(i), is.Index(i)); why != "" {
				return why
			}
		}
		return differs(was.Len() != is.Len(), was, is)
	case reflect.Map:
		found := map[string]reflect.Value{}
		for _, k := range is.MapKeys() {
			found[fmt.Sprint(k)] = is.MapIndex(k)
		}
		for _, k := range was.MapKeys() {
			if v, ok := found[fmt.Sprint(k)]; !ok || unchanged(was.MapIndex(k), v) != "" {
				return differs(true, was, is)
			}
		}
		return differs(was.Len() != is.Len(), was, is)
	case reflect.Interface:
		return differs(!reflect.DeepEqual(was.Interface(), is.Interface()), was, is)
	}
	if one, other := exact(was), exact(is); one != nil && other != nil {
		return differs(one.Cmp(other) != 0, was, is)
	}
	return differs(fmt.Sprint(was) != fmt.Sprint(is), was, is)
}

func unchangedFields(was, is reflect.Value) string {
	fields := jsonFields(is.Type())
	for _, f := range jsonFields(was.Type()) {
		i := findField(fields, f.name)
		if i < 0 {
			continue
		}
		before, now := was.FieldByIndex(f.index), is.FieldByIndex(fields[i].index)
		if leftOut(was.Type().FieldByIndex(f.index), before) {
			if !now.IsZero() {
				return differs(true, before, now)
			}
			continue
		}
		if why := unchanged(before, now); why != "" {
			return f.name + ": " + why
		}
	}
	return ""
}

// leftOut reports whether a field is not written, for it is empty.
func leftOut(f reflect.StructField, v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Struct, reflect.Array:
		return false
	case reflect.Slice, reflect.Map:
		return v.Len() == 0 && strings.Contains(f.Tag.Get("json"), "omitempty")
	}
	return v.IsZero() && strings.Contains(f.Tag.Get("json"), "omitempty")
}

func differs(yes bool, was, is reflect.Value) string {
	if !yes {
		return ""
	}
	return fmt.Sprintf("%v %v is now %v %v", was.Type(), was, is.Type(), is)
}

// isNil reports whether a value is null in JSON. An empty slice or map that is left out is none, so it counts as such.
func isNil(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map:
		return v.Len() == 0
	case reflect.Pointer:
		return v.IsNil() || isNil(v.Elem()) && v.Elem().Kind() != reflect.Struct
	case reflect.Interface:
		return v.IsNil()
	}
	return false
}

// exact is the number that the text of a value is; nil if it is none.
func exact(v reflect.Value) *big.Rat {
	text := fmt.Sprint(v)
	switch v.Kind() {
	case reflect.Float32, reflect.Float64:
		text = strconv.FormatFloat(v.Float(), 'g', -1, v.Type().Bits())
	case reflect.String:
		if v.Type() != reflect.TypeFor[json.Number]() {
			return nil
		}
	}
	if n, ok := new(big.Rat).SetString(text); ok {
		return n
	}
	return new(big.Rat) // the empty json.Number is written as 0
}

// TestJSONReadsWhatItSays draws pairs of types and compares with encoding/json: where a type says that it reads what
// another has written, each value of that one has to come out as it was.
func TestJSONReadsWhatItSays(t *testing.T) {
	read, refused := 0, 0
	for seed := range uint64(10_000) {
		m := typeMaker{rand.New(rand.NewPCG(seed, 1))}
		was := m.draw(m.IntN(4))
		for range m.IntN(2) * m.IntN(8) { // sometimes deeper than is spelled out
			was = reflect.SliceOf(was)
		}
		is := m.change(was)
		if !readsJSON(is, jsonFormat(was)) {
			refused++
			continue
		}
		if is != was {
			read++
		}
		for range 12 {
			checkRead(t, m, was, is)
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if read < 1500 || refused < 1500 {
		t.Errorf("only %d pairs of types were read and %d refused", read, refused)
	}
}

func checkRead(t *testing.T, m typeMaker, was, is reflect.Type) {
	t.Helper()
	v, again := reflect.New(was), reflect.New(is)
	m.fill(v.Elem())
	text, err := json.Marshal(v.Elem().Interface())
	if err != nil {
		t.Fatalf("%v: %v", was, err)
	}
	err = json.Unmarshal(text, again.Interface())
	if err == nil && string(text) == "null" && !nullable(is) {
		err = fmt.Errorf("null is no value of %v", is)
	}
	if err == nil {
		err = checkPlaces(text, newLayout(is), ^reasons(0))
	}
	if why := unchanged(v.Elem(), again.Elem()); err != nil || why != "" {
		t.Errorf("%s of %v (%q) read as %v (%q): %v %s", text, was, jsonFormat(was), is, jsonFormat(is), err, why)
	}
}
