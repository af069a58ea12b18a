// What the widget says where a visitor may speak and listen, in English; the same keys are in zh-CN.js. Some stand in place of the words about
// the assistant, in cards about the speech model.

export default {
  'voice.start': 'Speak',
  'voice.stop': 'Stop listening',
  'voice.starting': 'Getting ready…',
  'voice.on': 'Listening…',
  'voice.ending': 'Writing the last words…',
  'voice.off': 'The microphone is off.',
  'voice.refused': 'The browser does not let this page use the microphone. Allow it beside the address, then try again.',
  'voice.missing': 'No microphone was found. Connect one, then try again.',
  'voice.busy': 'Another program has the microphone. Close it, then try again.',
  'voice.read': 'Read aloud',
  'voice.quiet': 'Stop reading',
  'voice.none': 'This device has no voice of its own for this language.',

  'consent.title': 'Speak instead of typing',
  'consent.text': 'A speech model writes down what you say, in this browser: your voice goes nowhere. For that it is downloaded once: {size}.',
  'consent.rest': 'A speech model writes down what you say, in this browser: your voice goes nowhere. {size} of its download are still to come.',
  'consent.unknown':
    'A speech model writes down what you say, in this browser: your voice goes nowhere. For that it is downloaded once; how large it is, its server does not say.',
  'progress.download': 'Downloading the speech model',
  'progress.cache': 'Reading the speech model from this device',
  'progress.upload': 'Loading the speech model',
  'progress.compile': 'Preparing the speech model',
  'progress.queued': 'You can speak as soon as it is ready.',
  'problem.MODEL_NOT_FOUND.title': 'The speech model was not found',
  'problem.MODEL_FORMAT.title': 'The speech model’s file is damaged',
  'problem.MODEL_UNSUPPORTED.title': 'This speech model cannot run here',
  'problem.INVALID_REQUEST.title': 'This model cannot hear',
  'problem.INVALID_REQUEST.advice': 'It is of another kind. Please tell the owner of this site.',
  'problem.INTEGRITY.title': 'The speech model’s file is not the right one',
};
