# A teacher that sees more: the same network fine-tuned on images twice as large (input_200.py).
_base_ = './baseline.py'

variant = dict(order=90, title='teacher of twice the input size')
model = dict(
    type='DistilledYOLOX',
    teacher=dict(
        config='{{fileDirname}}/input_200.py', checkpoint='{{$ABC_TEACHER:teacher.pth}}'),
    cls_weight=1.0,
    box_weight=1.0)
