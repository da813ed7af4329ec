"""Pages in a real browser: Debian's Chromium, headless, on a stack of real processes."""
