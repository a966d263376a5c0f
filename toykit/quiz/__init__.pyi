from toykit.quiz.forms import FORMS as FORMS
from toykit.quiz.forms import form as form
from toykit.quiz.framework import Drawn as Drawn
from toykit.quiz.framework import Question as Question
from toykit.quiz.parts import PARTS as PARTS
from toykit.quiz.parts import questions as questions
