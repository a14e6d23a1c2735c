"""Where the tests of real servers find what they share."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # `from real_servers import …`, whatever the import mode
