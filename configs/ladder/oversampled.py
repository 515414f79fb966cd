# Images with small objects come more often.
_base_ = './train_only_p1.py'

rung = dict(order=125, title='+ oversampling')
train_dataloader = dict(
    sampler=dict(
        _delete_=True,
        type='SmallObjectSampler',
        small_classes=_base_.small_classes,
        power=0.5))
