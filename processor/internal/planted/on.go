//go:build planted

package planted

// On reports whether planted bugs are compiled in.
const On = true
