# SPDX-License-Identifier: Apache-2.0
"""Whatever a host writes becomes a value with gaps, never an exception."""

import hypothesis
from hypothesis import strategies as st
from oslotest import base

from osc_migrate import hardware
from osc_migrate import serial
from osc_migrate.probe import commands
from osc_migrate.probe import parse
from tests.unit.probe import transcripts

WHOLE = {name: transcripts.text(name) for name in transcripts.NAMES}
NOISE = st.text(max_size=30) | st.sampled_from(
    ['<', '>', '&amp;', "'", '-1', '99999999999999999999', '\0', '^', '0-']
)
ANSWERS = commands.answers(WHOLE['two-sockets'], transcripts.MARK)


class GarbledTest(base.BaseTestCase):
    def assertHolds(self, probe: hardware.HostProbe) -> None:
        """It is a value that is saved and loaded, and says what lacks."""
        again = serial.from_json(hardware.HostProbe, serial.to_json(probe))
        self.assertEqual(probe, again)
        for why in (probe.why_not, *probe.gaps.values()):
            self.assertTrue(why)
            self.assertNotIn('\n', why)

    @hypothesis.given(name=st.sampled_from(transcripts.NAMES), data=st.data())
    def test_an_answer_that_was_cut_off(self, name, data):
        whole = WHOLE[name]
        end = data.draw(st.integers(0, len(whole)))
        probe = transcripts.probe(whole[:end])
        self.assertHolds(probe)
        complete = transcripts.probe(whole)
        self.assertLessEqual(probe.outputs.items(), complete.outputs.items())

    @hypothesis.given(
        name=st.sampled_from(transcripts.NAMES), noise=NOISE, data=st.data()
    )
    def test_an_answer_that_was_garbled(self, name, noise, data):
        whole = WHOLE[name]
        begin = data.draw(st.integers(0, len(whole)))
        length = data.draw(st.integers(0, 60))
        text = whole[:begin] + noise + whole[begin + length :]
        self.assertHolds(transcripts.probe(text))

    @hypothesis.given(
        name=st.sampled_from(sorted(ANSWERS)), noise=NOISE, data=st.data()
    )
    def test_one_answer_that_was_garbled(self, name, noise, data):
        """The others are read as before."""
        code, text = ANSWERS[name]
        begin = data.draw(st.integers(0, len(text)))
        length = data.draw(st.integers(0, 60))
        text = text[:begin] + noise + text[begin + length :]
        found = {**ANSWERS, name: (code, text)}
        probe = parse.host_probe('compute-2', found)
        self.assertHolds(probe)
        if name != commands.LIST:
            self.assertLessEqual(probe.gaps.keys(), {name})

    @hypothesis.given(text=st.text(), code=st.integers(0, 255))
    def test_anything(self, text, code):
        everything = dict.fromkeys(
            (*commands.HOST, commands.LIST), (code, text)
        )
        self.assertHolds(parse.host_probe('compute-2', everything))
        self.assertHolds(transcripts.probe(text))
