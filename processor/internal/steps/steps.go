// Package steps hands a function that a test has for the steps of commits from the
// caller of Run to the workers. It travels in the context: a field of processor's
// Config would show it to everyone who writes an application.
package steps

import "context"

type key struct{}

// With returns a context that carries at.
func With(ctx context.Context, at func(step string)) context.Context {
	return context.WithValue(ctx, key{}, at)
}

// Of returns the function that a context carries; nil if it has none.
func Of(ctx context.Context) func(step string) {
	at, _ := ctx.Value(key{}).(func(step string))
	return at
}
