"""Two packages held against each other: what differs, whether it is as it should be, and where it shows.

`pairs` brings the operations and constants of two programs together, and `promises` says what each compressed
form promises of its weights. `differences` (`tk.diff`) lists, `verdicts` (`tk.verify`) decides, and `places`
(`tk.where`) measures. All of it needs NumPy alone.
"""
