from toykit.capstone.collecting import collect as collect
from toykit.capstone.scoring import Score as Score
from toykit.capstone.scoring import score as score
from toykit.capstone.tasks import TASKS as TASKS
from toykit.capstone.tasks import Task as Task
