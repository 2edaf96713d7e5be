# SPDX-License-Identifier: Apache-2.0
"""The page at /, in a real browser: page_test.py BINARY SOURCE_FOLDER [CASE...]

PAGE_URL tests a server that runs already. SCREENSHOTS is a folder to leave pictures in."""
import contextlib
import os
import pathlib
import sys
import threading
import unittest

from browser import Browser
from tenon_server import TenonServer, ask

TENON = "tenon"
SOURCE = pathlib.Path()
ANSWER = "document.querySelector('.assistant:last-of-type')?.textContent ?? ''"
IDLE = "document.getElementById('stop').hidden && !document.getElementById('send').disabled"


def picture(browser, name):
    if "SCREENSHOTS" in os.environ:
        browser.screenshot(pathlib.Path(os.environ["SCREENSHOTS"]) / f"{name}.png")


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.url = os.environ.get("PAGE_URL")
        if not cls.url:
            cls.url = cls.enterClassContext(TenonServer(TENON, SOURCE / "configs/default.yaml")).url

    @contextlib.contextmanager
    def page(self, **options):
        with Browser(**options) as browser:
            browser.open(self.url + "/")
            browser.wait("document.getElementById('state')?.className === 'ready'")
            yield browser
            self.assertEqual(browser.problems, [])

    def ask(self, browser, text, tokens=24):
        browser.type("#max_tokens", str(tokens))
        browser.type("#prompt", text)
        browser.press_enter()

    def test_a_chat_is_answered_as_it_comes(self):
        with self.page() as browser:
            self.assertTrue(browser.evaluate("document.getElementById('model').value"))
            self.ask(browser, "Name three colours.")
            browser.wait(f"({ANSWER}).length > 0")
            browser.wait(IDLE)
            self.assertEqual(browser.evaluate("document.querySelector('.user').textContent"), "Name three colours.")
            self.assertGreater(len(browser.evaluate(ANSWER)), 3)
            figures = browser.evaluate("document.getElementById('figures').textContent")
            for word in ("first token", "tokens/s", "prompt"):
                self.assertIn(word, figures)
            picture(browser, "light")
            self.ask(browser, "And another one.")
            browser.wait("document.querySelectorAll('.assistant').length === 2")
            browser.wait(IDLE)
            self.assertEqual(browser.evaluate("messages.length"), 4)
            browser.click("#clear")
            browser.wait("document.querySelectorAll('.message').length === 0")
            self.assertEqual(browser.evaluate("messages.length"), 0)

    def test_stop_ends_the_answer_and_keeps_what_came(self):
        with self.page() as browser:
            browser.type("#prompt", "x")
            self.assertTrue(browser.evaluate("document.getElementById('stop').hidden"))
            self.ask(browser, "Write a very long story about the sea.", tokens=4000)
            browser.wait(f"({ANSWER}).length > 20")
            browser.click("#stop")
            browser.wait(IDLE)
            length = len(browser.evaluate(ANSWER))
            self.assertLess(browser.evaluate("Number(/(\\d+) tokens/.exec(document.getElementById('figures').textContent)[1])"), 4000)
            browser.wait("document.getElementById('running').textContent === '0'")
            self.assertEqual(len(browser.evaluate(ANSWER)), length)
            self.assertEqual(browser.evaluate("document.querySelectorAll('.error').length"), 0)

    @contextlib.contextmanager
    def load(self):
        """Another client, that asks without pause: there is something to see however long it takes to look."""
        over = threading.Event()

        def client():
            while not over.is_set():
                ask(self.url + "/v1/completions", {"prompt": "Once upon a time", "max_tokens": 200, "ignore_eos": True})

        thread = threading.Thread(target=client)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def test_the_live_view_follows_the_server(self):
        with self.page(dark=True) as browser, self.load():
            self.ask(browser, "Write a very long story about a mountain.", tokens=1500)
            browser.wait("Number(document.getElementById('running').textContent) >= 1")
            browser.wait("parseFloat(document.getElementById('rate').textContent) > 0")
            browser.wait("parseFloat(document.getElementById('blocks').textContent) > 0")
            browser.wait("document.querySelectorAll('#plugins .bar').length > 0")
            shares = browser.evaluate("[...document.querySelectorAll('#plugins .share')].map(e => parseFloat(e.textContent))")
            self.assertAlmostEqual(sum(shares), 100, delta=1)
            picture(browser, "dark")
            browser.evaluate("document.getElementById('stop').hidden || document.getElementById('stop').click()")
            browser.wait(IDLE)

    def test_light_and_dark_are_what_the_reader_prefers(self):
        for dark in (False, True):
            with self.page(dark=dark) as browser:
                brightness = sum(browser.pixel(300, 300)) / 3
                self.assertEqual(brightness < 128, dark, brightness)

    def test_a_refusal_is_shown_and_the_question_kept(self):
        with self.page() as browser:
            browser.type("#temperature", "-5")
            self.ask(browser, "Hello")
            browser.wait("document.querySelectorAll('.error').length === 1")
            self.assertIn("temperature", browser.evaluate("document.querySelector('.error').textContent"))
            self.assertEqual(browser.evaluate("document.getElementById('prompt').value"), "Hello")
            browser.problems.clear()  # the refusal itself

    def test_text_is_never_markup(self):
        with self.page() as browser:
            self.ask(browser, "<img src=x onerror=alert(1)><b>bold</b>", tokens=4)
            browser.wait("document.querySelectorAll('.user').length === 1")
            browser.wait(IDLE)
            self.assertEqual(browser.evaluate("document.querySelectorAll('#log img, #log b').length"), 0)

    def test_the_policy_forbids_what_the_page_does_not_need(self):
        with self.page() as browser:
            self.assertFalse(browser.evaluate("(() => { const s = document.createElement('script'); s.textContent = 'window.ran = true';"
                                              " document.head.append(s); return window.ran === true })()"))
            self.assertEqual(browser.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')"), "refused")
            browser.problems.clear()  # the policy's own complaints

    def test_it_fits_a_narrow_window(self):
        with self.page(width=390, height=800) as browser:
            self.assertLessEqual(browser.evaluate("document.documentElement.scrollWidth"), 390)
            picture(browser, "narrow")


if __name__ == "__main__":
    TENON, SOURCE = sys.argv[1], pathlib.Path(sys.argv[2])
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
