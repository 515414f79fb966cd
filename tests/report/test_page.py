"""The page as a file, and as a browser shows it."""

import base64
import datetime
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from abc_mmdet.apis.test_record import TestRecord
from abc_mmdet.report import evaluate, read_threshold, render, training_curves, write_page
from abc_mmdet.report.charts import Chart, bar_chart
from abc_mmdet.report.page import environment, signed
from abc_mmdet.report.tables import class_rows, summary_rows, threshold_rows

from .browser import CHROMIUM, look

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason='there is no Chromium here')


class Elements(HTMLParser):
    """All elements of a page with their attributes, and its text."""

    VOID = ('meta', 'link', 'img', 'br')

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict]] = []
        self.text, self.open = [], []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f'</{tag}> closes another element'

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope='module')
def page(results: list, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp('log') / '20260101_000000' / 'vis_data'
    folder.mkdir(parents=True)
    (folder / 'scalars.json').write_text(
        '\n'.join(
            f'{{"loss": {9 / step}, "conflict/s4_cosine": {step / 9 - 0.5}, "step": {step}}}'
            for step in range(1, 9)
        )
        + '\n{"coco/bbox_mAP": 0.123, "coco/bbox_mAP_s": 0.1, "step": 8}'
    )
    curves = training_curves('ours', folder.parents[1])
    records = {
        'ours': TestRecord(
            'ours.py', 'work/best.pth', '2026-01-02T03:04+00:00', 'CPU', 6, 8, (320, 192), 12.345
        )
    }
    title = 'Night <shift> & day'
    return render(results, curves, 6, title, 'configs/small/mine.py', records)


def test_needs_nothing_else(page: str) -> None:
    elements = Elements(page)
    assert elements.open == []
    images = [attributes for tag, attributes in elements.found if tag == 'img']
    assert len(images) > 30
    assert all(image['src'].startswith('data:image/') for image in images)
    assert all(len(image['alt']) > 10 for image in images)
    assert 'script' not in {tag for tag, _ in elements.found}
    for tag, attributes in elements.found:
        for name in ('src', 'href', 'srcset', 'data', 'action', 'poster'):
            assert attributes.get(name, '#').startswith(('#', 'data:')), (tag, attributes)
    styles = re.findall(r'<style>(.*?)</style>', page, re.S)
    assert len(styles) == 1 and 'url(' not in styles[0] and '@import' not in styles[0]
    targets = {attributes['id'] for _, attributes in elements.found if 'id' in attributes}
    links = {a['href'][1:] for tag, a in elements.found if tag == 'a'}
    assert links <= targets


@pytest.fixture(scope='module')
def odd_page(results: list) -> str:
    """Of a result whose name is markup, and of one without detections."""
    test_set = results[0].test_set
    hostile = evaluate('<b onload=x>', '"quoted"', test_set, results[0].detections)
    nothing = evaluate('nothing', 'nothing.bbox.json', test_set, [])
    return render([hostile, nothing], gallery=3)


def test_titles_and_names_are_text_not_markup(page: str, odd_page: str) -> None:
    assert '<h1>Night &lt;shift&gt; &amp; day</h1>' in page
    assert '&lt;b onload=x&gt;' in odd_page and '<b onload' not in odd_page


def test_figures_stand_in_the_page(page: str, results: list) -> None:
    text = ' '.join(' '.join(Elements(page).text).split())
    headings, rows = summary_rows(results)
    assert headings == ['mAP', 'AP50', 'AP75', 'AP small', 'mAP of small classes']
    assert rows[1].metrics[0].value == results[1].named['bbox_mAP']
    assert rows[1].metrics[0].difference == pytest.approx(
        results[1].named['bbox_mAP'] - results[0].named['bbox_mAP']
    )
    for row in rows:
        for metric in row.metrics:
            assert f'{metric.value:.3f}' in text
    low, high = results[1].interval(results[0], 'bbox_mAP')
    assert f'[{signed(low)}, {signed(high)}]' in text
    assert f'mAP {signed(rows[1].metrics[0].difference)} , clearly better' in text
    for result in results:
        assert f'{len(result.errors.false_negatives)}; never detected' in text
        assert f'score ≥ {result.errors.threshold:.3f}' in text
    for section in ('Confusion', 'Precision and recall', 'Conflict of the two tasks', 'Losses'):
        assert section in text


def test_what_was_tested_stands_at_the_top(page: str) -> None:
    header = ' '.join(
        ' '.join(Elements(page.partition('</header>')[0] + '</header></body></html>').text).split()
    )
    for part in ('configs/small/mine.py', 'work/best.pth', '320 × 192 px', '2026-01-02 03:04'):
        assert part in header
    assert '12.3 ms per image, batch 8, CPU' in header
    assert f'report of {datetime.date.today().isoformat()}' in header
    assert 'baseline not recorded not recorded not measured not known' in header


def test_training_and_hits_have_sections(page: str, results: list) -> None:
    text = ' '.join(' '.join(Elements(page).text).split())
    assert 'mAP of the validations during training. ours: from 0.123 to 0.123' in page
    assert 'AP small of the validations' in page
    assert 'ours : small objects found' in text.replace('ours:', 'ours :')
    assert page.count('alt="Found: ') == 12, 'of two results'


def test_classes_without_boxes_say_so(page: str, results: list) -> None:
    absent = [row for row in class_rows(results) if row.note == '0']
    assert [row.name for row in absent] == ['tram']
    assert absent[0].metrics[0].value is None
    (cells,) = [cells for name, cells in threshold_rows(results) if name == 'tram']
    assert [cell.reason for cell in cells] == ['no boxes', 'no boxes']
    assert page.count('no boxes') >= 2 * 3, 'in three tables of two results'


def test_one_result_without_a_log_or_images(results: list) -> None:
    page = render(results[:1], gallery=0)
    text = ' '.join(Elements(page).text)
    for absent in ('bootstrap', 'Training', 'Mistakes', 'Hits'):
        assert absent not in text


def test_a_result_without_detections(odd_page: str) -> None:
    assert 'nothing.bbox.json is empty' in odd_page
    assert 'no detections' in odd_page
    Elements(odd_page)


def test_the_file_is_whole_or_not_there(tmp_path: Path) -> None:
    write_page(tmp_path / 'new' / 'report.html', 'é')
    assert (tmp_path / 'new' / 'report.html').read_bytes() == 'é'.encode()
    assert [path.name for path in (tmp_path / 'new').iterdir()] == ['report.html']


@needs_chromium
@pytest.mark.parametrize('width', [390, pytest.param(1100, marks=pytest.mark.slow)])
def test_in_a_browser(page: str, width: int) -> None:
    seen = look(page, width)
    assert seen['images'] == page.count('<img')
    assert seen['broken'] == []
    assert seen['unnamed'] == 0
    assert seen['console'] == []
    assert seen['requests'] == []
    assert seen['scroll'] <= seen['client'], seen['beyond']
    assert seen['beyond'] == []
    assert seen['smallest'] > 280, 'charts can be read'
    assert seen['unmarked'] == 0, 'what scrolls has a shadow'
    assert (seen['scrolling'] > 0) == (width == 390)
    if width > 1000:
        assert page.count('class="matrix') == 2
        assert seen['scrollingMatrices'] == 0


@needs_chromium
def test_the_browser_would_tell() -> None:
    seen = look(
        '<!doctype html><div style="width: 600px">wide</div><img src="data:image/png;base64,AAAA" '
        'alt=""><script>missing()</script>',
        390,
    )
    assert seen['broken'] == [''] and seen['unnamed'] == 1
    assert seen['scroll'] > seen['client'] and 'DIV' in seen['beyond']
    assert len(seen['console']) == 1 and 'missing is not defined' in seen['console'][0]


def test_many_bars_lie_below_each_other() -> None:
    """In a chart as wide as the others, taller the more there are."""
    sizes = []
    for number in (5, 8, 30):
        values = [[0.1] * number, [float('nan')] * number]
        uri = bar_chart('AP', [f'class {i}' for i in range(number)], values, 'AP').uri
        svg = base64.b64decode(uri.partition(',')[2]).decode()
        width, height = re.findall(r'<svg [^>]*?viewBox="0 0 ([\d.]+) ([\d.]+)"', svg, re.S)[0]
        sizes.append((float(width), float(height)))
    assert len({width for width, _ in sizes}) == 1
    assert sizes[0][1] < sizes[1][1] < sizes[2][1] / 2


def test_many_classes_fold_away(results: list) -> None:
    """Charts beyond the first dozen are in a part that opens."""
    macros = environment().get_template('cells.html').module
    shown = str(macros.charts([Chart('data:,', f'chart {i}') for i in range(15)]))
    before, after = shown.split('<details>')
    assert before.count('<img') == 12 and after.count('<img') == 3
    assert '3 more' in after


def test_detections_are_imperfect(results: list) -> None:
    """The results of these tests have errors of each kind to show."""
    kinds = {kind for result in results for kind in result.errors.false_positives.values()}
    assert {'Bkg', 'Cls', 'Dupe', 'Loc'} <= kinds


def test_the_best_thresholds_can_be_read_back(results: list, page: str, tmp_path: Path) -> None:
    write_page(tmp_path / 'report.html', page)
    for result in results:
        expected = result.pooled_f1.best_threshold
        assert read_threshold(tmp_path / 'report.html', result.name) == expected
