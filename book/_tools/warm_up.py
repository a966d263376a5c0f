"""Do once, after installation, what would otherwise print a message in the first notebook that is run.

matplotlib lists the machine's fonts when it is first imported, and says so where that takes long.
"""

import matplotlib.font_manager

print(f"matplotlib found {len(matplotlib.font_manager.fontManager.ttflist)} fonts")
